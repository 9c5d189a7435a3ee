#![expect(
    clippy::disallowed_methods,
    reason = "shell: the tests write files and start a reader"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

struct Host {
    dir: tempfile::TempDir,
    tenant: TenantName,
}

impl Host {
    /// With `acme` in force as of `port`, and nothing else.
    fn new(port: u32) -> Host {
        let host = Host {
            dir: tempfile::tempdir().unwrap(),
            tenant: TenantName::parse("acme").unwrap(),
        };
        fs::create_dir(host.path("tenants")).unwrap();
        host.version("tenants/acme", port)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn version(self, name: &str, port: u32) -> Host {
        self.fragment(name, &format!("port: {port}\n"));
        self
    }

    fn fragment(&self, name: &str, text: &str) {
        let section = self.path(name).join("gateway.d");
        fs::create_dir_all(&section).unwrap();
        fs::write(section.join("10-base.yaml"), text).unwrap();
    }

    fn tenants_dir(&self) -> PathBuf {
        self.path("tenants")
    }

    fn act(&self, act: impl FnOnce(Swap<'_>) -> anyhow::Result<Swapped>) -> Result<Swapped, String> {
        act(Swap {
            tenants_dir: &self.tenants_dir(),
            tenant: &self.tenant,
            judge: &|_| Problems::default(),
        })
        .map_err(|error| format!("{error:#}").replace(&format!("{}/", self.dir.path().display()), ""))
    }

    fn promote(&self, from: &str) -> Result<Swapped, String> {
        self.act(|swap| swap.promote(&self.path(from)))
    }

    fn rollback(&self) -> Result<Swapped, String> {
        self.act(|swap| swap.rollback())
    }

    /// `acme 2, acme.prev 1`: what lies in the tenants directory, with its port.
    fn shows(&self) -> String {
        let mut names: Vec<String> = scan::list(&self.tenants_dir())
            .unwrap()
            .into_iter()
            .map(|name| name.into_string().unwrap())
            .collect();
        names.sort_by_key(|name| (name.starts_with('.'), name.clone()));
        let shown = names.iter().map(|name| {
            let fragment = self.tenants_dir().join(name).join("gateway.d/10-base.yaml");
            let text = fs::read_to_string(fragment).unwrap_or_else(|_| "nothing".to_owned());
            format!("{name} {}", text.trim().trim_start_matches("port: "))
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn a_promoted_copy_is_in_force_the_one_before_is_kept_and_a_rollback_undoes_itself() {
    let host = Host::new(1).version("build/acme", 2).version("build/new", 3);
    let done = host.promote("build/acme").unwrap();
    assert_eq!(host.shows(), "acme 2, acme.prev 1");
    assert!(done.without_a_gap && !done.recovered);
    assert_ne!(done.now.hash, done.before.unwrap().hash);
    assert!(host.path("build/acme/gateway.d").is_dir(), "what was copied stays");

    host.promote("build/new").unwrap();
    assert_eq!(host.shows(), "acme 3, acme.prev 2", "an older one goes");
    host.rollback().unwrap();
    assert_eq!(host.shows(), "acme 2, acme.prev 3");
    host.rollback().unwrap();
    assert_eq!(host.shows(), "acme 3, acme.prev 2");
}

#[test]
fn what_is_staged_beside_it_is_moved() {
    let host = Host::new(1).version("tenants/acme.next", 2);
    host.promote("tenants/acme.next").unwrap();
    assert_eq!(host.shows(), "acme 2, acme.prev 1");
}

#[test]
fn a_first_deployment_replaces_nothing() {
    let host = Host::new(1).version("build/acme", 2);
    fs::remove_dir_all(host.path("tenants/acme")).unwrap();
    let done = host.promote("build/acme").unwrap();
    assert_eq!((host.shows().as_str(), done.before), ("acme 2", None));
    assert_eq!(
        host.rollback().unwrap_err(),
        "there is no tenants/acme.prev: nothing was promoted yet, so there is nothing to go back to"
    );
}

#[test]
fn links_as_deploy_tools_keep_them_are_swapped_as_links() {
    let host = Host::new(1).version("tenants/releases/7", 7).version("build/acme", 8);
    symlink("releases/7", host.path("tenants/acme.prev")).unwrap();
    host.rollback().unwrap();
    assert_eq!(host.shows(), "acme 7, acme.prev 1, releases nothing");
    assert!(host.path("tenants/acme").is_symlink());
    host.promote("build/acme").unwrap();
    assert_eq!(host.shows(), "acme 8, acme.prev 7, releases nothing");
    assert!(host.path("tenants/acme.prev").is_symlink());
    host.promote("build/acme").unwrap();
    assert_eq!(host.shows(), "acme 8, acme.prev 8, releases nothing");
    assert!(
        host.path("tenants/releases/7/gateway.d").is_dir(),
        "of a link the link alone is removed"
    );
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_touched() {
    let host = Host::new(1).version("build/acme", 2);
    let refused = |host: &Host, from: &str, why: &str| {
        let told = host.promote(from).unwrap_err();
        assert!(told.contains(why), "{told}");
        assert_eq!(host.shows(), "acme 1");
    };
    host.fragment("bad/acme", "port: [\n");
    refused(
        &host,
        "bad/acme",
        "nothing was changed, since these fragments do not merge:\nbad/acme/gateway.d/10-base.yaml:2",
    );
    host.fragment("secret/acme", "token: hunter2hunter2\n");
    refused(
        &host,
        "secret/acme",
        "secret/acme/gateway.d/10-base.yaml:1: token: looks like a secret",
    );
    assert!(!host.promote("secret/acme").unwrap_err().contains("hunter2"));
    fs::create_dir_all(host.path("empty/acme")).unwrap();
    refused(
        &host,
        "empty/acme",
        "empty/acme holds none of gateway.d, doctor.d, webhook.d",
    );
    refused(&host, "nowhere", "nowhere is no directory that can be read");
    refused(
        &host,
        "build/acme/gateway.d/10-base.yaml",
        "is no directory that can be read",
    );
    refused(&host, "tenants/acme", "is in force already");
    symlink("circle", host.path("circle")).unwrap();
    refused(&host, "circle", "circle is no directory that can be read");
    let huge = host.path("build/acme/huge");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    refused(
        &host,
        "build/acme",
        "build/acme/huge cannot be copied: the directory holds more than 67108864 bytes",
    );
    fs::remove_file(huge).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        host.path("build/acme/pipe"),
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    refused(
        &host,
        "build/acme",
        "nothing was changed: build/acme/pipe is neither a file nor a directory",
    );
}

#[test]
fn a_link_that_leads_out_of_what_is_copied_is_noticed() {
    let host = Host::new(1).version("build/acme", 2);
    fs::write(host.path("build/shared.yaml"), "profile: x\n").unwrap();
    symlink("../../shared.yaml", host.path("build/acme/gateway.d/20-shared.yaml")).unwrap();
    let told = host.promote("build/acme").unwrap_err();
    assert!(told.contains("holds links that lead out of it"), "{told}");
    assert_eq!(host.shows(), "acme 1");
}

#[test]
fn a_previous_one_that_would_make_no_tenant_is_not_gone_back_to() {
    let host = Host::new(1);
    symlink("acme", host.path("tenants/acme.prev")).unwrap();
    assert!(
        host.rollback()
            .unwrap_err()
            .contains("is the directory in force itself")
    );
    fs::remove_file(host.path("tenants/acme.prev")).unwrap();
    symlink("nowhere", host.path("tenants/acme.prev")).unwrap();
    assert!(
        host.rollback()
            .unwrap_err()
            .contains("is no directory that can be read")
    );
    fs::remove_file(host.path("tenants/acme.prev")).unwrap();
    fs::create_dir(host.path("tenants/acme.prev")).unwrap();
    assert!(host.rollback().unwrap_err().contains("it would make no tenant"));
    assert!(host.shows().starts_with("acme 1"));
}

#[test]
fn a_rollback_to_fragments_that_do_not_merge_is_done_and_says_so() {
    let host = Host::new(1);
    host.fragment("tenants/acme.prev", "prot: 1\n");
    let done = host.rollback().unwrap();
    assert!(
        !done.now.problems.is_empty(),
        "somebody wants away from what is in force"
    );
    assert_eq!(host.shows(), "acme prot: 1, acme.prev 1");
}

#[test]
fn somebody_elses_staged_directory_is_not_overwritten() {
    let host = Host::new(1).version("build/acme", 2).version("tenants/acme.next", 3);
    let told = host.promote("build/acme").unwrap_err();
    assert!(told.contains("tenants/acme.next is there already"), "{told}");
    assert_eq!(host.shows(), "acme 1, acme.next 3");
}

#[test]
fn one_swap_at_a_time() {
    let host = Host::new(1).version("tenants/acme.prev", 2);
    let held = host.act(|swap| {
        let _lock = swap.lock()?;
        host.rollback().map_err(anyhow::Error::msg)
    });
    assert!(held.unwrap_err().contains("another promote or rollback is at work"));
    host.rollback().unwrap();
}

#[test]
fn where_a_directory_cannot_be_locked_a_file_in_it_is_and_is_no_tenant() {
    let host = Host::new(1).version("build/acme", 2);
    let held = host.act(|swap| {
        let dir = swap.lock()?;
        let first = lock_by_file(&dir)?;
        assert_eq!(lock_by_file(&dir).unwrap_err(), Errno::WOULDBLOCK);
        drop(first);
        lock_by_file(&dir)?;
        bail!("done")
    });
    assert_eq!(held.unwrap_err(), "done");
    let crate::config::tenants_dir::Scan::Found { tenants, warnings } = scan::scan(&host.tenants_dir()) else {
        panic!("it is there");
    };
    assert_eq!((tenants.len(), warnings.len()), (1, 0));
}

#[test]
fn what_an_interrupted_swap_left_and_nobody_can_mend_is_told_with_its_name() {
    let host = Host::new(1).version("tenants/acme.next", 2);
    // In the place of the directory that the step would make.
    fs::create_dir_all(host.path("tenants/.acme.was/gateway.d")).unwrap();
    fs::write(host.path("tenants/.acme.enters-7"), "").unwrap();
    let told = host.promote("tenants/acme.next").unwrap_err();
    assert!(
        told.contains(".acme.enters-7") && told.contains("move one of them away"),
        "{told}"
    );
    fs::remove_dir_all(host.path("tenants/.acme.was")).unwrap();
    fs::remove_file(host.path("tenants/.acme.enters-7")).unwrap();
    host.promote("tenants/acme.next").unwrap();
    let told = host.promote("tenants/acme.next").unwrap_err();
    assert_eq!(
        told,
        "nothing was changed: tenants/acme.next is no directory that can be read"
    );
    fs::create_dir(host.path("tenants/.acme.copying")).unwrap();
    let told = host.promote("tenants/acme.next").unwrap_err();
    assert!(told.contains("readyd config hash acme"), "{told}");
}

/// What is left when `moves` stop after so many steps, and what the next command makes of it.
fn stopped(host: &Host, moves: &dyn Fn(Swap<'_>) -> Vec<Move>, steps: usize) -> Option<(String, String)> {
    let mut left = None;
    let recovered = host.act(|swap| {
        let dir = swap.lock()?;
        let moves = moves(swap);
        if steps > moves.len() {
            bail!("no such step");
        }
        for step in &moves[..steps] {
            swap.carry_out(&dir, step)?;
        }
        left = Some(host.shows());
        swap.recover(&dir)?;
        assert!(!swap.recover(&dir)?, "once is enough: {}", host.shows());
        swap.read(&swap.path("acme"))
            .map(|now| swap.swapped(now, None, true, true))
    });
    match recovered {
        Ok(_) => left.map(|left| (left, host.shows())),
        Err(why) => {
            assert_eq!(why, "no such step");
            None
        }
    }
}

#[test]
fn a_promote_that_stops_at_any_step_is_finished_or_undone_by_the_next_command() {
    for (can_exchange, has_previous) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut told = Vec::new();
        for steps in 0.. {
            let mut host = Host::new(2).version("tenants/acme.next", 3);
            if has_previous {
                host = host.version("tenants/acme.prev", 1);
            }
            let moves = |swap: Swap<'_>| {
                let inode = host.path("tenants/acme.next").symlink_metadata().unwrap().ino();
                plan::promote(swap.names(), &swap.seen().unwrap(), inode, can_exchange)
            };
            let Some((left, then)) = stopped(&host, &moves, steps) else {
                break;
            };
            assert!(
                !can_exchange || left.starts_with("acme 2") || left.starts_with("acme 3"),
                "there is one at every moment: {left}"
            );
            told.push(then);
        }
        // Undone: in force as before, and what was staged is staged. Done: the one before is kept.
        let (undone, done) = match has_previous {
            true => ("acme 2, acme.next 3, acme.prev 1", "acme 3, acme.prev 2"),
            false => ("acme 2, acme.next 3", "acme 3, acme.prev 2"),
        };
        let steps = told.len();
        assert!(steps >= 5, "{told:?}");
        let first_done = told.iter().position(|then| then == done).unwrap();
        assert!(told[..first_done].iter().all(|then| then == undone), "{told:#?}");
        assert!(told[first_done..].iter().all(|then| then == done), "{told:#?}");
    }
}

#[test]
fn a_rollback_that_stops_at_any_step_is_finished_or_undone_by_the_next_command() {
    for can_exchange in [true, false] {
        let mut told = Vec::new();
        for steps in 0.. {
            let host = Host::new(2).version("tenants/acme.prev", 1);
            let moves = |swap: Swap<'_>| plan::rollback(swap.names(), &swap.seen().unwrap(), can_exchange);
            let Some((_, then)) = stopped(&host, &moves, steps) else {
                break;
            };
            told.push(then);
        }
        let (undone, done) = ("acme 2, acme.prev 1", "acme 1, acme.prev 2");
        let expected: &[&str] = match can_exchange {
            true => &[undone, done],
            false => &[undone, undone, done, done],
        };
        assert_eq!(told, expected);
    }
}

#[test]
fn half_a_copy_is_swept_away_and_a_whole_one_can_be_promoted() {
    let host = Host::new(1)
        .version("tenants/.acme.copying", 2)
        .version("tenants/acme.next", 3);
    let done = host.promote("tenants/acme.next").unwrap();
    assert!(done.recovered);
    assert_eq!(host.shows(), "acme 3, acme.prev 1");
}

#[test]
fn names_of_other_tenants_and_of_no_inode_are_left_alone() {
    let host = Host::new(1)
        .version("tenants/.acme.enters-x", 2)
        .version("tenants/.acme.x.was", 3);
    host.rollback().unwrap_err();
    assert_eq!(host.shows(), "acme 1, .acme.enters-x 2, .acme.x.was 3");
}

#[test]
fn a_reader_never_misses_a_file_while_its_directory_is_swapped() {
    const SWAPS: usize = 400;
    let host = Host::new(1).version("tenants/acme.prev", 2);
    let read = host.path("tenants/acme/gateway.d/10-base.yaml");
    let (done, reads, started) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicBool::new(false));
    let failed: Vec<String> = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut failed = Vec::new();
            while !done.load(Ordering::Relaxed) {
                match fs::read_to_string(&read) {
                    Ok(text) if text.starts_with("port: ") => {}
                    other => failed.push(format!("{other:?}")),
                }
                reads.fetch_add(1, Ordering::Relaxed);
                started.store(true, Ordering::Relaxed);
            }
            failed
        });
        while !started.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        for swap in 0..SWAPS {
            if swap % 4 == 0 {
                host.fragment("build/acme", &format!("port: {}\n", 10 + swap));
                host.promote("build/acme").unwrap();
            } else {
                host.rollback().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    println!("{} reads during {SWAPS} swaps", reads.load(Ordering::Relaxed));
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn whose_fragments_a_directory_holds_is_in_its_name() {
    let of = |path: &str| tenant_of(Path::new(path)).map(|tenant| tenant.to_string());
    assert_eq!(of("/build/acme").as_deref(), Some("acme"));
    assert_eq!(of("/etc/openclaw/tenants/acme.next").as_deref(), Some("acme"));
    assert_eq!(of("/build/Acme"), None);
    assert_eq!(of("/"), None);
}

#[test]
fn where_nothing_can_be_exchanged_two_renames_do_and_it_is_said() {
    let host = Host::new(1).version("tenants/acme.next", 2);
    let done = host.act(|swap| {
        let dir = swap.lock()?;
        let (seen, inode) = (swap.seen()?, swap.path("acme.next").symlink_metadata()?.ino());
        let planned = |can_exchange| {
            let mut moves = plan::promote(swap.names(), &seen, inode, can_exchange);
            for step in &mut moves {
                if let Move::Exchange { one, other } = step {
                    // A directory and its own child: `EINVAL`, as file systems say that cannot exchange.
                    (*one, *other) = ("acme".to_owned(), "acme/gateway.d".to_owned());
                }
            }
            moves
        };
        let without_a_gap = swap.carry_out_planned(&dir, &planned)?;
        Ok(swap.swapped(Version::default(), None, without_a_gap, false))
    });
    assert!(!done.unwrap().without_a_gap);
    assert_eq!(host.shows(), "acme 2, acme.prev 1");
}
