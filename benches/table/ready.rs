//! `/ready`, as a load balancer asks it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::Rounds;
use crate::harness::{Node, PATIENCE};
use crate::load::{answer_times, requests_per_second};
use crate::nodes::{QUIET, alone, pinned, tenants};
use crate::peers::nginx::Nginx;
use crate::producer::{Lines, send_all};
use crate::rounds::{Series, quantile};
use crate::rows::{Row, Target};

const MANY: usize = 256;
const HANGING: usize = 8;
const WATCHED: Duration = Duration::from_secs(3);

pub fn rows(rounds: Rounds) -> Vec<Row> {
    let mut rows = throughput(rounds);
    rows.push(under_load(rounds));
    rows
}

fn throughput(Rounds(rounds): Rounds) -> Vec<Row> {
    let one = pinned(&format!("{}{QUIET}", tenants(1)));
    let many = pinned(&format!("{}{QUIET}", tenants(MANY)));
    for node in [&one, &many] {
        node.until("/ready", PATIENCE, |answer| answer.status == 200);
    }
    let nginx = Nginx::start(&one.get("/ready"));
    let (mut of_one, mut of_many, mut of_nginx) = (Series::default(), Series::default(), Series::default());
    for _ in 0..rounds {
        let asked = [
            (
                &mut of_one,
                alone(&one, &[&many], || requests_per_second(one.port, "/ready")),
            ),
            (
                &mut of_many,
                alone(&many, &[&one], || requests_per_second(many.port, "/ready")),
            ),
        ];
        for (series, per_second) in asked {
            let Some(per_second) = per_second else {
                return Vec::new();
            };
            series.push(per_second);
        }
        if let Some(nginx) = &nginx {
            let idle = || requests_per_second(nginx.port, "/ready");
            of_nginx.push(alone(&one, &[&one, &many], idle).unwrap_or(f64::NAN));
        }
    }
    vec![
        Row::beside(
            "`/ready`, keep-alive, one core",
            "req/s",
            &of_one,
            "nginx `return 200` of the same bytes",
            &of_nginx,
            Target::RatioMin(1.0),
        ),
        Row::beside(
            "`/ready`, 256 tenants",
            "req/s",
            &of_many,
            "with one tenant",
            &of_one,
            Target::RatioMin(0.95),
        ),
    ]
}

/// Asked once a millisecond, the processor shared by all: server, load and who asks.
fn under_load(Rounds(rounds): Rounds) -> Row {
    let calm = Node::start(&format!("{}{QUIET}", tenants(1)));
    let busy = with_hanging_doctors();
    let lines = Lines::new(250_000, 1, 1_000);
    let (mut at_rest, mut loaded) = (Series::default(), Series::default());
    for round in 0..rounds {
        at_rest.push(p99_ms(&calm));
        let ended = AtomicBool::new(false);
        loaded.push(thread::scope(|scope| {
            scope.spawn(|| {
                let mut sent = 0;
                while !ended.load(Ordering::Relaxed) {
                    send_all(&busy, &format!("load-{round}-{sent}"), &lines);
                    sent += 1;
                }
            });
            let p99 = p99_ms(&busy);
            ended.store(true, Ordering::Relaxed);
            p99
        }));
    }
    Row::beside(
        "`/ready` p99, ingest saturated, 8 doctors hang",
        "ms",
        &loaded,
        "its own p99 at rest",
        &at_rest,
        Target::RatioMax(3.0),
    )
}

fn p99_ms(node: &Node) -> f64 {
    quantile(&mut answer_times(node.port, "/ready", WATCHED), 0.99).as_secs_f64() * 1e3
}

/// Returns once all of them are being asked.
fn with_hanging_doctors() -> Node {
    let node = Node::prepared("");
    let programs = node.dir.path().join("bin");
    let asked = node.dir.path().join("asked");
    fs::create_dir(&programs).unwrap();
    let program = programs.join("openclaw");
    fs::write(
        &program,
        format!("#!/bin/sh\necho \"$@\" >> {}\nexec sleep 600\n", asked.display()),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    node.configure(&format!(
        "{}exec: {{heavy: {HANGING}, path: [{}, /usr/bin, /bin]}}\nopenclaw: {{dialect: article}}\n\
         probes: {{write: {{enabled: false}}, version-lock: {{enabled: false}}, doctor: {{timeout: 300s, max_stale: 16m}}}}\n",
        tenants(HANGING),
        programs.display()
    ));
    let node = node.started();
    node.until("/livez", PATIENCE, |_| {
        let asked = fs::read_to_string(&asked).unwrap_or_default();
        asked.lines().filter(|line| line.contains("doctor")).count() >= HANGING
    });
    node
}
