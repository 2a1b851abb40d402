//! What killed processes leave behind, at each step of a deletion.

mod support;

use std::fs;

use agentsh_keep::trash::{Cause, Limits, Removal, Repaired, Selection, Target, TrashError};
use support::{Ground, Tested, discard, exists, refusal};

#[test]
fn an_object_whose_record_is_lost_can_be_listed_and_restored_elsewhere() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let kept = discard(&trash, &ground.file("a", "precious")?, Removal::Unlink)?;
    let id = kept.record.id;
    let info = kept.place.join(format!("info/{id}.trashinfo"));
    trash.settle()?;
    for damage in [&b""[..], b"[Trash Info]\nPath=/wo"] {
        fs::write(&info, damage)?;
        let entry = trash.show(&id.to_string())?;
        assert_eq!((entry.record.cause, entry.record.original()), (Cause::Recovered, None));
        assert!(matches!(
            trash.restore(id, &Target::Original),
            Err(TrashError::NoOrigin(_))
        ));
    }
    assert_eq!(
        trash.repair()?,
        Repaired {
            recovered: 1,
            ..Repaired::default()
        }
    );
    assert_eq!(trash.repair()?, Repaired::default());
    let to = ground.work().join("b");
    trash.restore(id, &Target::At(to.clone()))?;
    assert_eq!(fs::read_to_string(to)?, "precious");
    Ok(())
}

#[test]
fn a_record_of_a_deletion_that_did_not_happen_is_withdrawn() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "x")?;
    let kept = discard(&trash, &path, Removal::Unlink)?;
    trash.settle()?;
    // As if killed between the record and the rename.
    fs::rename(kept.place.join(format!("files/{}", kept.record.id)), &path)?;
    assert!(trash.list()?.is_empty());
    assert_eq!(
        trash.repair()?,
        Repaired {
            withdrawn: 1,
            ..Repaired::default()
        }
    );
    assert_eq!(fs::read_dir(kept.place.join("info"))?.count(), 0);
    assert!(exists(&path));
    Ok(())
}

#[test]
fn unfinished_copies_and_removals_are_swept() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let place = &trash.places()[0];
    fs::write(place.join("incoming/half"), "hal")?;
    fs::create_dir_all(place.join("expunged/tree/inner"))?;
    assert_eq!(
        trash.repair()?,
        Repaired {
            swept: 2,
            ..Repaired::default()
        }
    );
    assert!(!exists(&place.join("incoming/half")) && !exists(&place.join("expunged/tree")));
    Ok(())
}

#[test]
fn the_count_of_bytes_is_made_anew() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash_with(Limits {
        max_size: Some(16_384),
        ..Limits::default()
    })?;
    discard(&trash, &ground.file("a", "x")?, Removal::Unlink)?;
    let usage = trash.places()[0].join("usage");
    let right = fs::read(&usage)?[..8].to_vec();
    fs::write(&usage, u64::MAX.to_le_bytes())?;
    let next = ground.file("b", "x")?;
    assert_eq!(refusal(discard(&trash, &next, Removal::Unlink)), 122);
    trash.repair()?;
    assert_eq!(fs::read(&usage)?[..8], right);
    discard(&trash, &next, Removal::Unlink)?;
    trash.purge(&Selection {
        all: true,
        ..Selection::default()
    })?;
    assert_eq!(fs::read(&usage)?[..8], [0; 8]);
    Ok(())
}

/// What a place's ledger holds, and how many records have files.
fn books(place: &std::path::Path) -> std::io::Result<(Vec<u8>, usize)> {
    Ok((
        fs::read(place.join("recent"))?,
        fs::read_dir(place.join("info"))?.count(),
    ))
}

#[test]
fn records_are_the_same_before_and_after_they_have_files() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    for number in 0..300 {
        discard(&trash, &ground.file(&number.to_string(), "x")?, Removal::Unlink)?;
    }
    let place = trash.places()[0].clone();
    let before = trash.list()?;
    assert_eq!((before.len(), books(&place)?.1), (300, 0));
    // Another process sees them too, and may take one back.
    let other = ground.trash()?;
    assert_eq!(other.list()?, before);
    assert_eq!(other.show(&before[7].record.id.to_string())?, before[7]);
    other.restore(before[7].record.id, &Target::Original)?;
    trash.settle()?;
    assert_eq!(books(&place)?, (Vec::new(), 299));
    let mut left = before.clone();
    left.remove(7);
    assert_eq!(trash.list()?, left);
    trash.settle()?;
    assert_eq!(trash.repair()?, Repaired::default());
    assert_eq!(trash.list()?, left);
    Ok(())
}

#[test]
fn a_ledger_that_was_cut_or_settled_in_part_loses_nothing_else() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let first = discard(&trash, &ground.file("a", "x")?, Removal::Unlink)?;
    let place = first.place.clone();
    // As if killed while a record was written: no object came.
    let line = String::from_utf8(books(&place)?.0)?;
    let torn = format!("{line}\n{}", &line[1..line.len() / 2]);
    fs::write(place.join("recent"), torn)?;
    let second = discard(&trash, &ground.file("b", "x")?, Removal::Unlink)?;
    // As if killed while the first one was given its file.
    fs::write(
        place.join(format!("info/{}.trashinfo", first.record.id)),
        "[Trash Info]\nPath=/",
    )?;
    let records = |trash: &agentsh_keep::trash::Trash| -> Tested<Vec<_>> {
        Ok(trash.list()?.into_iter().map(|entry| entry.record).collect())
    };
    let both = vec![first.record.clone(), second.record.clone()];
    assert_eq!(records(&trash)?, both);
    trash.settle()?;
    assert_eq!((records(&trash)?, books(&place)?), (both.clone(), (Vec::new(), 2)));
    // As if killed between the two steps at the end: how far it was settled is behind the end.
    let mut usage = fs::read(place.join("usage"))?;
    usage[8..].copy_from_slice(&1_000_000u64.to_le_bytes());
    fs::write(place.join("usage"), usage)?;
    let third = discard(&trash, &ground.file("c", "x")?, Removal::Unlink)?;
    let all = [both, vec![third.record]].concat();
    assert_eq!(records(&trash)?, all);
    assert_eq!(trash.repair()?, Repaired::default());
    assert_eq!(records(&trash)?, all);
    Ok(())
}

#[test]
fn a_record_in_the_ledger_of_a_deletion_that_did_not_happen_is_forgotten() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "x")?;
    let kept = discard(&trash, &path, Removal::Unlink)?;
    fs::rename(kept.place.join(format!("files/{}", kept.record.id)), &path)?;
    assert!(trash.list()?.is_empty());
    assert_eq!(trash.repair()?, Repaired::default());
    assert_eq!(books(&kept.place)?, (Vec::new(), 0));
    assert!(trash.list()?.is_empty() && exists(&path));
    Ok(())
}
