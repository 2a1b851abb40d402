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
    let right = fs::read(&usage)?;
    fs::write(&usage, u64::MAX.to_le_bytes())?;
    let next = ground.file("b", "x")?;
    assert_eq!(refusal(discard(&trash, &next, Removal::Unlink)), 122);
    trash.repair()?;
    assert_eq!(fs::read(&usage)?, right);
    discard(&trash, &next, Removal::Unlink)?;
    trash.purge(&Selection {
        all: true,
        ..Selection::default()
    })?;
    assert_eq!(fs::read(&usage)?, [0; 8]);
    Ok(())
}
