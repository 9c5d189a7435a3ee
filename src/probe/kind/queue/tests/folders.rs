use super::*;

#[tokio::test]
async fn older_versions_folders_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("delivery-queue");
    std::fs::create_dir_all(queue.join("failed")).unwrap();
    for name in ["a.json", "b.json", "c.json.tmp", "d.delivered", "failed/e.json"] {
        std::fs::write(queue.join(name), "{}").unwrap();
    }
    // Emptied by a migration: no queue any more.
    std::fs::create_dir(folder.path().join("session-delivery-queue")).unwrap();
    let scene = Scene::of(Target::of(tenant(folder.path())));
    let finding = ask(&limits(), &scene.ask()).await;
    assert_eq!(finding.answer, Answer::Ok, "{}", finding.summary);
    assert_eq!(finding.summary, "1 queue, 2 waiting");
    assert!(finding.evidence[0].seen.ends_with("1 given up"));
}

#[tokio::test]
async fn a_configured_folder_counts_plain_files_and_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two", ".hidden"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    std::fs::File::options()
        .write(true)
        .open(folder.path().join("one"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let queue = Queue {
        paths: vec![folder.path().into(), folder.path().join("gone")],
        ..limits()
    };
    let look = super::look(&queue, None, None, &Interrupt::default(), &|| false);
    assert_eq!((look.backlogs[0].depth, look.backlogs[0].at_least), (2, false));
    assert_eq!(look.backlogs[0].oldest, Some(Wall::from_millis(1_000_000_000)));
    assert_eq!(look.troubles[0].seen, "does not exist");
    assert_eq!(
        ask(&queue, &Scene::node().ask()).await.answer,
        Answer::Down,
        "1970 is long ago"
    );
}

#[test]
fn a_folder_is_counted_no_longer_than_there_is_time() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..600 {
        std::fs::write(folder.path().join(index.to_string()), "").unwrap();
    }
    let queue = Queue {
        paths: vec![folder.path().into()],
        ..limits()
    };
    let look = super::look(&queue, None, None, &Interrupt::default(), &|| true);
    assert_eq!((look.backlogs[0].depth, look.backlogs[0].at_least), (255, true));
}

#[test]
fn what_was_counted_in_part_and_is_below_the_thresholds_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..600 {
        std::fs::write(folder.path().join(index.to_string()), "").unwrap();
    }
    let judged = |warn_depth| {
        let queue = Queue {
            paths: vec![folder.path().into()],
            warn_depth,
            ..limits()
        };
        let look = super::look(&queue, None, None, &Interrupt::default(), &|| true);
        judge(&queue, &look, clock::wall())
    };
    let unsure = judged(1000);
    assert_eq!(
        (unsure.answer, unsure.cause),
        (Answer::Unknown, Some(Cause::Timeout)),
        "{}",
        unsure.summary
    );
    assert!(unsure.summary.contains("at least 255 waiting"), "{}", unsure.summary);
    assert_eq!(judged(100).answer, Answer::Degraded, "so many are enough");
}
