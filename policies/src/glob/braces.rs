//! `{a,b}`: one pattern for each way to choose.

use super::{GlobError, MAX_ALTERNATIVES};

/// All patterns without braces that this one stands for. Escapes and classes are left as they are.
pub(super) fn expand(pattern: &[u8]) -> Result<Vec<Vec<u8>>, GlobError> {
    let mut at = 0;
    let found = sequence(pattern, &mut at, 0)?;
    Ok(found)
}

/// Reads up to the end, or inside braces up to the `,` or `}` that ends this choice.
fn sequence(pattern: &[u8], at: &mut usize, depth: u32) -> Result<Vec<Vec<u8>>, GlobError> {
    if depth > 8 {
        return Err(GlobError::TooManyAlternatives);
    }
    let mut found = vec![Vec::new()];
    while let Some(&byte) = pattern.get(*at) {
        match byte {
            b',' | b'}' if depth > 0 => return Ok(found),
            b'{' => {
                *at += 1;
                found = product(&found, &choices(pattern, at, depth)?)?;
            }
            b'}' => return Err(GlobError::Unopened),
            b'\\' | b'[' => {
                let end = if byte == b'[' {
                    class_end(pattern, *at)?
                } else {
                    (*at + 2).min(pattern.len())
                };
                found
                    .iter_mut()
                    .for_each(|one| one.extend_from_slice(&pattern[*at..end]));
                *at = end;
            }
            _ => {
                found.iter_mut().for_each(|one| one.push(byte));
                *at += 1;
            }
        }
    }
    if depth > 0 {
        Err(GlobError::UnclosedBrace)
    } else {
        Ok(found)
    }
}

fn choices(pattern: &[u8], at: &mut usize, depth: u32) -> Result<Vec<Vec<u8>>, GlobError> {
    let mut all = Vec::new();
    loop {
        all.extend(sequence(pattern, at, depth + 1)?);
        if all.len() > MAX_ALTERNATIVES {
            return Err(GlobError::TooManyAlternatives);
        }
        let end = pattern.get(*at).copied();
        *at += 1;
        match end {
            Some(b',') => {}
            Some(b'}') => return Ok(all),
            _ => return Err(GlobError::UnclosedBrace),
        }
    }
}

fn product(left: &[Vec<u8>], right: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, GlobError> {
    if left.len() * right.len() > MAX_ALTERNATIVES {
        return Err(GlobError::TooManyAlternatives);
    }
    let join = |a: &Vec<u8>, b: &Vec<u8>| [a.as_slice(), b.as_slice()].concat();
    Ok(left
        .iter()
        .flat_map(|a| right.iter().map(move |b| join(a, b)))
        .collect())
}

/// The place behind the `]` of the class that opens at `at`.
pub(super) fn class_end(pattern: &[u8], at: usize) -> Result<usize, GlobError> {
    let mut end = at + 1;
    if matches!(pattern.get(end), Some(b'!' | b'^')) {
        end += 1;
    }
    let first = end;
    loop {
        match pattern.get(end) {
            None => return Err(GlobError::UnclosedClass),
            Some(b']') if end > first => return Ok(end + 1),
            Some(b'\\') => end += 2,
            Some(_) => end += 1,
        }
    }
}
