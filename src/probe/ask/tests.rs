use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::*;
use crate::config::raw;
use crate::probe::declaration::{Exec, Host, Http, Lane, Parse, Probe, RunId, Target, Tcp};
use crate::words::{Answer, CheckId, ProbeName};

fn probe(asks: Asks, timeout: Duration) -> Probe {
    Probe {
        timeout,
        ..Probe::specimen("p", asks)
    }
}

fn order(asks: Asks, timeout: Duration) -> Order {
    Order {
        run: RunId(1),
        check: CheckId::node(ProbeName::parse("p").unwrap()),
        probe: Arc::new(probe(asks, timeout)),
        target: Target::Node {
            state_dirs: Vec::new(),
            senders: Vec::new(),
        },
        routine: false,
    }
}

fn exec() -> Asks {
    Asks::Exec(Exec {
        lane: Lane::Light,
        command: vec!["/bin/sh".into(), "-c".into(), "echo fine".into()],
        parse: Parse::ExitCode,
        env: Vec::new(),
        rules: Vec::new(),
        interval_min: Duration::from_secs(60),
        stretch: None,
    })
}

fn config() -> Config {
    raw::decode(None, None, &Environment::default()).0.config
}

fn asker() -> Asker {
    Asker::new(&config(), &Environment::default())
}

const SECOND: Duration = Duration::from_secs(1);
const PATIENT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_exec_probe_costs_what_its_command_cost() {
    let (finding, cost) = asker().ask(order(exec(), PATIENT)).await;
    assert_eq!((finding.answer, finding.summary.as_str()), (Answer::Ok, "fine"));
    assert!(cost.peak_rss_bytes > 0, "{cost:?}");
}

#[test]
fn an_exec_probe_may_end_its_command_before_it_is_cut_off_and_a_native_one_may_not_be_late() {
    assert_eq!(bound_of(&probe(exec(), SECOND)), SECOND + EXEC_BACKSTOP);
    let tcp = Asks::Tcp(Tcp { address: String::new() });
    assert_eq!(bound_of(&probe(tcp, SECOND)), SECOND);
}

#[tokio::test]
async fn a_kind_notices_silence_before_it_is_cut_off() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let asks = Asks::Http(Http {
        url: format!("http://{}/", listener.local_addr().unwrap()),
        parse: Parse::Json,
        insecure: false,
        body_bytes_max: 100,
    });
    // It accepts and says nothing: the kind itself notices first, and says how far it came.
    let (finding, _) = asker().ask(order(asks, Duration::from_millis(200))).await;
    assert_eq!(finding.answer, Answer::Down);
    assert!(finding.summary.contains("within 180 ms"), "{}", finding.summary);
}

#[tokio::test]
async fn a_panic_in_a_kind_is_a_finding() {
    let panics = async {
        tokio::task::yield_now().await;
        panic!("as the test wants it")
    };
    let (finding, _) = bounded(PATIENT, panics).await;
    assert_eq!((finding.answer, finding.cause), (Answer::Unknown, Some(Cause::Local)));
    assert!(finding.summary.ends_with("as the test wants it"), "{}", finding.summary);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_forgets_its_timeout_is_cut_off_and_dropped() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = Dropped(Arc::clone(&dropped));
    let endless = async {
        let _guard = guard;
        std::future::pending().await
    };
    let (finding, _) = bounded(SECOND, endless).await;
    assert_eq!((finding.answer, finding.cause), (Answer::Unknown, Some(Cause::Timeout)));
    assert_eq!(finding.summary, "no answer within 1000 ms");
    assert!(dropped.load(Ordering::Relaxed));
}

#[tokio::test]
async fn native_kinds_are_asked_and_cost_time_alone() {
    let asker = asker();
    let host = Asks::Host(Host {
        warn_memory: 1.0,
        warn_descriptors: 1.0,
        warn_load_per_core: 1e9,
    });
    let (finding, cost) = asker.ask(order(host, PATIENT)).await;
    assert_eq!(finding.answer, Answer::Ok, "{}", finding.summary);
    assert_eq!((cost.cpu, cost.peak_rss_bytes), (Duration::ZERO, 0));
    let tcp = Asks::Tcp(Tcp {
        address: "nonsense".into(),
    });
    let (finding, _) = asker.ask(order(tcp, SECOND)).await;
    assert_eq!(finding.cause, Some(Cause::Misconfigured));
}

#[tokio::test]
async fn what_the_engine_answers_itself_is_not_asked() {
    for asks in [Asks::Digest, Asks::Store, Asks::Files] {
        let (finding, _) = asker().ask(order(asks, SECOND)).await;
        assert_eq!(finding.cause, Some(Cause::Misconfigured));
    }
}

#[tokio::test]
async fn a_reload_changes_how_is_asked_and_forgets_no_stuck_path() {
    let mut asker = asker();
    let (release, stuck) = mpsc::channel::<()>();
    let path = Path::new("/mnt/dead");
    let hang = move || stuck.recv().is_ok();
    let _begun = asker.means.threads.begin("disk", path, hang).unwrap();
    let mut config = config();
    config.exec.path = vec!["/elsewhere".into()];

    asker.configure(&config);

    assert_eq!(asker.tools.path, config.exec.path);
    let again = asker.means.threads.begin("disk", path, || true);
    assert!(again.is_err(), "one thread a stuck path, whatever is reloaded");
    drop(release);
}

#[test]
fn a_tenant_whose_credentials_are_read_no_more_shares_none() {
    let mut asker = asker();
    let tenant = |name: &str| crate::words::TenantName::parse(name).unwrap();
    let print = kind::tokens::Print {
        credential: 0,
        is_gateways: true,
        shown: "token.current".to_owned(),
        fingerprint: Fingerprints::default().of("the same secret"),
    };
    let shared = |asker: &Asker, name: &str| asker.means.prints.compare(&tenant(name), vec![print.clone()]).len();
    shared(&asker, "acme");
    assert_eq!(shared(&asker, "beta"), 1);

    // Both are tenants still; of neither a credential is read.
    let mut config = config();
    for name in ["acme", "beta"] {
        config
            .tenants
            .insert(tenant(name), crate::config::Tenant::named(tenant(name)));
    }
    asker.configure(&config);

    assert_eq!(shared(&asker, "beta"), 0);
}
