use std::io::Write as _;

use tempfile::TempDir;

use super::*;
use crate::words::TenantName;

/// A folder with a log in it, and what a source made of it.
struct World {
    folder: TempDir,
    tail: Tail,
    /// Job ids, in the order in which they were counted.
    counted: Vec<String>,
    kept: Option<Position>,
    state: State,
    /// The sink takes so many more events.
    room: usize,
}

impl World {
    /// A source that has never looked.
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let tail = Self::tail(&folder, None);
        World {
            folder,
            tail,
            counted: Vec::new(),
            kept: None,
            state: State::default(),
            room: usize::MAX,
        }
    }

    /// One that has looked at an empty folder.
    fn begun() -> World {
        let mut world = World::new();
        assert_eq!(world.look(), Look::Done);
        world
    }

    fn tail(folder: &TempDir, position: Option<Position>) -> Tail {
        let claim = Claim {
            state_dir: "/srv/acme".into(),
            tenant: TenantName::parse("acme").unwrap(),
            owner: fs::metadata(folder.path()).unwrap().uid(),
        };
        let wiring = Wiring {
            path: folder.path().join("openclaw-YYYY-MM-DD.log"),
            claims: vec![claim],
        };
        Tail::new(wiring, position).unwrap()
    }

    /// readyd ends without a word and starts again with what was kept.
    fn restart(&mut self) {
        let kept = self.kept.as_ref().map(|kept| Position::parse(&kept.body()).unwrap());
        self.tail = Self::tail(&self.folder, kept);
    }

    fn look(&mut self) -> Look {
        let (counted, kept, state, room) = (&mut self.counted, &mut self.kept, &mut self.state, &mut self.room);
        self.tail.look(&mut |output: Output<'_>| {
            match output {
                Output::Event { line, position, .. } => {
                    if *room == 0 {
                        return Sink::Later;
                    }
                    *room -= 1;
                    let event: serde_json::Value = serde_json::from_str(line).unwrap();
                    counted.push(event["task_id"].as_str().unwrap().to_owned());
                    *kept = Some(position.clone());
                }
                Output::Passed { position } => *kept = Some(position.clone()),
                Output::State(told) => *state = told.clone(),
            }
            Sink::Done
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let path = self.path(name);
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    #[track_caller]
    fn counts(&mut self, expected: &[&str]) {
        assert_eq!(self.look(), Look::Done);
        assert_eq!(self.counted, expected);
        assert_eq!(self.state.trouble, None);
    }
}

/// A record of a failed webhook of `job`, with its newline.
fn failed(job: &str) -> String {
    format!(
        r#"{{"0":"{{\"module\":\"cron\",\"storeKey\":\"/srv/acme/cron/jobs.json\"}}","1":{{"jobId":"{job}","err":"HTTP 500"}},"2":"cron: webhook delivery failed","time":"2026-11-20T07:41:42.646+00:00"}}"#
    ) + "\n"
}

const TODAY: &str = "openclaw-2026-11-20.log";
const ROTATED: &str = "openclaw-2026-11-20.1.log";
const TOMORROW: &str = "openclaw-2026-11-21.log";

#[test]
fn the_first_look_begins_at_the_end_and_a_restart_does_not_begin_anew() {
    let mut world = World::new();
    world.append(TODAY, &failed("before"));
    world.counts(&[]);
    world.restart();
    world.append(TODAY, &failed("while away"));
    world.counts(&["while away"]);
    world.append(TODAY, &failed("after"));
    world.counts(&["while away", "after"]);
    world.counts(&["while away", "after"]);
}

#[test]
fn each_line_counts_once_across_restarts() {
    let mut world = World::begun();
    for round in 0..5 {
        world.append(TODAY, &failed(&format!("a{round}")));
        world.append(TODAY, &failed(&format!("b{round}")));
        world.look();
        world.restart();
        world.look();
    }
    let all = ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"];
    world.counts(&all);
}

#[test]
fn a_line_is_read_when_it_is_whole() {
    let mut world = World::begun();
    let line = failed("j1");
    let (first, second) = line.split_at(100);
    world.append(TODAY, first);
    world.counts(&[]);
    world.restart();
    world.counts(&[]);
    world.append(TODAY, second);
    world.counts(&["j1"]);
}

#[test]
fn a_new_date_is_followed_and_late_lines_of_the_old_one_still_count() {
    let mut world = World::begun();
    world.append(TODAY, &failed("j1"));
    world.counts(&["j1"]);
    world.append(TOMORROW, &failed("j3"));
    world.append(TODAY, &failed("j2"));
    world.counts(&["j1", "j2", "j3"]);
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_is_no_new_one() {
    let mut world = World::begun();
    world.append(TODAY, &failed("j1"));
    world.counts(&["j1"]);
    world.append(TODAY, &failed("j2"));
    world.rename(TODAY, ROTATED);
    world.append(TODAY, &failed("j3"));
    world.counts(&["j1", "j2", "j3"]);
    world.restart();
    world.rename(ROTATED, "openclaw-2026-11-20.2.log");
    world.rename(TODAY, ROTATED);
    world.append(TODAY, &failed("j4"));
    world.counts(&["j1", "j2", "j3", "j4"]);
}

#[test]
fn a_file_that_a_listing_missed_is_not_read_again() {
    let mut world = World::begun();
    world.append(TODAY, &failed("j1"));
    world.counts(&["j1"]);
    world.rename(TODAY, "hidden");
    world.counts(&["j1"]);
    world.rename("hidden", TODAY);
    world.counts(&["j1"]);
}

#[test]
fn an_emptied_file_is_read_from_its_beginning() {
    let mut world = World::begun();
    world.append(TODAY, &failed("a longer job id"));
    world.counts(&["a longer job id"]);
    File::create(world.path(TODAY)).unwrap();
    world.append(TODAY, &failed("j2"));
    world.counts(&["a longer job id", "j2"]);
    // Also when it has grown beyond where we were before anybody looked.
    File::create(world.path(TODAY)).unwrap();
    world.append(TODAY, &(failed("j3") + &failed("j4")));
    world.counts(&["a longer job id", "j2", "j3", "j4"]);
}

#[test]
fn a_line_that_is_too_long_is_skipped_counted_and_survived() {
    let mut world = World::begun();
    world.append(TODAY, &failed("j1"));
    let chunk = "x".repeat(3 * LINE_BYTES_MAX);
    world.append(TODAY, &chunk);
    world.counts(&["j1"]);
    world.append(TODAY, &chunk);
    world.counts(&["j1"]);
    world.append(TODAY, &format!("{}\n{}", failed("inside").trim_end(), failed("j2")));
    world.counts(&["j1", "j2"]);
    assert_eq!(world.state.too_long, 1);
    // One that a single read holds, newline and all.
    world.append(TODAY, &format!("{}\n{}", "x".repeat(LINE_BYTES_MAX + 1), failed("j3")));
    world.counts(&["j1", "j2", "j3"]);
    assert_eq!(world.state.too_long, 2);
}

#[test]
fn a_restart_within_a_line_that_is_too_long_skips_its_rest() {
    let mut world = World::begun();
    world.append(TODAY, &(failed("j1") + &"x".repeat(3 * LINE_BYTES_MAX)));
    world.counts(&["j1"]);
    world.restart();
    world.append(TODAY, &format!("\n{}", failed("j2")));
    world.counts(&["j1", "j2"]);
}

#[test]
fn a_sink_that_cannot_keep_an_event_gets_it_again() {
    let mut world = World::begun();
    world.append(TODAY, &(failed("j1") + &failed("j2") + &failed("j3")));
    world.room = 1;
    assert_eq!(world.look(), Look::Held);
    assert_eq!(world.look(), Look::Held);
    assert_eq!(world.counted, ["j1"]);
    world.restart();
    world.room = usize::MAX;
    world.counts(&["j1", "j2", "j3"]);
}

#[test]
fn a_backlog_is_read_in_bounded_looks() {
    let mut world = World::begun();
    let filler = format!("{}\n", "y".repeat(1023)).repeat(1024);
    for _ in 0..20 {
        world.append(TODAY, &filler);
    }
    world.append(TODAY, &failed("j1"));
    assert_eq!(world.look(), Look::More);
    let kept = world.kept.clone();
    assert_ne!(
        kept,
        Some(Position::default()),
        "what was passed is kept although nothing was counted"
    );
    assert_eq!(world.look(), Look::More);
    world.counts(&["j1"]);
}

#[test]
fn failures_that_nobody_claims_are_counted_as_such() {
    let mut world = World::begun();
    world.append(TODAY, &failed("j1").replace("/srv/acme", "/srv/other"));
    world.counts(&[]);
    assert_eq!(world.state.unclaimed, 1);
}

#[test]
fn what_leads_elsewhere_is_no_log_and_says_so() {
    let mut world = World::begun();
    world.append("elsewhere", &failed("j1"));
    std::os::unix::fs::symlink(world.path("elsewhere"), world.path(TODAY)).unwrap();
    world.look();
    assert!(world.counted.is_empty());
    let trouble = world.state.trouble.clone().unwrap();
    assert!(trouble.contains(TODAY), "{trouble}");
    fs::remove_file(world.path(TODAY)).unwrap();
    world.append(TODAY, &failed("j2"));
    world.counts(&["j2"]);
}

#[test]
fn a_pipe_in_the_place_of_a_log_keeps_nobody_waiting() {
    let mut world = World::begun();
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        world.path(TODAY),
        rustix::fs::FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    );
    made.unwrap();
    world.look();
    let trouble = world.state.trouble.unwrap();
    assert!(trouble.contains("not a plain file"), "{trouble}");
}

#[test]
fn a_folder_of_somebody_else_is_not_where_ours_logs() {
    let mut world = World::new();
    assert!(!world.tail.is_elsewhere());
    world.tail.claims[0].owner += 1;
    assert!(world.tail.is_elsewhere());
}

#[test]
fn a_source_ends_when_its_stop_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (stop, stopped) = std::sync::mpsc::channel();
    drop(stop);
    let wiring = Wiring {
        path: folder.path().join("a.log"),
        claims: Vec::new(),
    };
    let mut outputs = 0;
    let sink = |_: Output<'_>| {
        outputs += 1;
        Sink::Done
    };
    run(wiring, None, sink, &stopped);
    assert_eq!(outputs, 1, "the position it begins with");
}
