//! Of several sources that tell the same deliveries exactly one counts.

use super::*;

fn with_source(source: Option<Via>, has_link: bool) -> Timeline {
    let mut settings = settings();
    let acme = settings.tenants.get_mut(&tenant("acme")).unwrap();
    acme.source = source;
    acme.has_link = has_link;
    Timeline::with(settings)
}

impl Timeline {
    fn link(&mut self, connected: bool) {
        let reporter = Reporter::link(&tenant("acme"));
        self.digest.reporter(self.now, &reporter, connected);
        if connected {
            self.digest.source_stands(self.now, &tenant("acme"), &reporter);
        }
    }

    fn tells(&mut self, via: Via, count: u64) {
        let producers: &[&str] = match via {
            Via::Link => &["link:acme"],
            Via::Plugin => &["plugin:acme"],
            Via::Log => &["log:acme"],
            Via::Socket | Via::Operator => &[],
        };
        self.arrive_from(producers, &[fails("acme", "crm", 503, count).told_by(via)]);
    }

    fn days(&mut self, days: u64) {
        for _ in 0..days * 24 * 400 {
            self.sleep(9);
            self.tick();
        }
    }

    fn failures(&mut self) -> u64 {
        let view = self.digest.view(self.now);
        view.sliding.rows.iter().map(|row| row.count).sum()
    }

    fn source(&mut self) -> String {
        let source = self.digest.view(self.now).sources[&tenant("acme")].clone();
        let counts = source.counts.map_or("nothing", Via::as_str);
        let others: Vec<String> = source
            .not_counted
            .iter()
            .map(|(via, count)| format!(" not {via} {count}"))
            .collect();
        format!("{counts}{}", others.concat())
    }
}

#[test]
fn what_comes_first_counts_until_a_better_source_is_heard_of() {
    let mut t = with_source(None, true);
    assert_eq!(t.source(), "nothing");
    for (via, total) in [(Via::Log, 1), (Via::Socket, 2), (Via::Plugin, 3)] {
        t.tells(via, 1);
        assert_eq!(
            (t.failures(), t.source().split(' ').next().unwrap().to_owned()),
            (total, via.to_string())
        );
    }
    t.link(true);
    t.pass(1);
    for via in [Via::Plugin, Via::Socket, Via::Log] {
        t.tells(via, 10);
    }
    assert_eq!(t.failures(), 3);
    t.tells(Via::Link, 1);
    assert_eq!(t.failures(), 4);
    assert_eq!(t.source(), "link not socket 10 not plugin 10 not log 10");
    assert_eq!(
        t.digest.counts().failures[&(tenant("acme"), crate::words::Family::ServerError)],
        4
    );
}

#[test]
fn a_lost_link_leaves_the_tenant_blind_and_no_other_source_takes_over() {
    let mut t = with_source(None, true);
    t.link(true);
    t.pass(7200);
    assert_eq!(t.judge("acme"), "ok: no failures in 5 min (tenant budget 50)");
    t.link(false);
    t.pass(61);
    t.tells(Via::Socket, 100);
    assert_eq!(t.failures(), 0);
    assert!(
        t.judge("acme")
            .starts_with("degraded: blind: link:acme disconnected since"),
        "{}",
        t.judge("acme")
    );
    t.link(true);
    assert_eq!(t.judge("acme"), "ok: no failures in 5 min (tenant budget 50)");
}

#[test]
fn a_producer_that_does_not_count_may_leave_without_making_anybody_blind() {
    let mut t = with_source(None, true);
    t.connect("gw-1");
    t.arrive_from(&["gw-1"], &[fails("acme", "crm", 503, 1)]);
    t.link(true);
    t.disconnect("gw-1");
    t.pass(100);
    assert!(t.judge("acme").starts_with("ok"), "{}", t.judge("acme"));
}

#[test]
fn a_plugin_that_is_not_heard_of_for_a_day_gives_way() {
    let mut t = with_source(None, false);
    t.connect("plugin:acme");
    t.tells(Via::Plugin, 1);
    t.days(2);
    t.tells(Via::Socket, 1);
    assert_eq!(t.failures(), 0, "it is silent and connected");
    t.disconnect("plugin:acme");
    t.days(1);
    t.pass(20);
    t.tells(Via::Socket, 1);
    assert_eq!((t.failures(), t.source()), (1, "socket not socket 1".to_owned()));
}

#[test]
fn a_link_that_stood_once_is_missed_as_long_as_it_is_configured() {
    let mut t = with_source(None, true);
    t.link(true);
    t.link(false);
    t.days(3);
    t.tells(Via::Log, 5);
    assert_eq!(
        t.failures(),
        0,
        "what the log tells, the link will tell when it is back"
    );
    assert!(
        t.judge("acme").starts_with("degraded: blind: link:acme"),
        "{}",
        t.judge("acme")
    );
}

#[test]
fn a_plugin_that_is_named_is_missed_though_it_never_came() {
    let mut t = with_source(Some(Via::Plugin), false);
    t.days(2);
    assert!(
        t.judge("acme").starts_with("degraded: blind: plugin:acme"),
        "{}",
        t.judge("acme")
    );
}

#[test]
fn a_source_that_is_named_counts_alone_and_is_missed_though_it_never_came() {
    let mut t = with_source(Some(Via::Link), true);
    t.tells(Via::Socket, 5);
    assert_eq!((t.failures(), t.source()), (0, "link not socket 5".to_owned()));
    assert!(
        t.judge("acme").starts_with("degraded: blind: link:acme"),
        "{}",
        t.judge("acme")
    );
    for _ in 0..2 * 24 * 360 {
        t.sleep(10);
        t.tick();
    }
    assert!(
        t.judge("acme").starts_with("degraded: blind: link:acme"),
        "days do not heal it"
    );
}

#[test]
fn a_link_that_is_no_longer_configured_gives_way_at_once() {
    let mut t = with_source(None, true);
    t.link(true);
    t.link(false);
    let mut settings = t.settings.clone();
    settings.tenants.get_mut(&tenant("acme")).unwrap().has_link = false;
    t.digest.configure(t.now, settings);
    t.tells(Via::Socket, 5);
    assert_eq!(t.failures(), 5);
}

#[test]
fn which_source_counts_survives_a_restart() {
    let mut t = with_source(None, true);
    t.link(true);
    t.pass(20);
    t.restart();
    t.tells(Via::Socket, 5);
    assert_eq!(t.failures(), 0);
}

#[test]
fn what_an_operator_says_counts_whatever_the_source_is_and_makes_no_difference_to_it() {
    let mut t = with_source(Some(Via::Link), true);
    t.tells(Via::Operator, 2);
    assert_eq!((t.failures(), t.source()), (2, "link".to_owned()));
    let mut t = with_source(None, false);
    t.tells(Via::Operator, 2);
    assert_eq!((t.failures(), t.source()), (2, "nothing".to_owned()));
}

#[test]
fn of_tenants_that_are_not_configured_everything_counts() {
    let mut t = Timeline::new();
    for via in Via::BEST_FIRST {
        t.arrive(&[fails("stray", "crm", 503, 1).told_by(via)]);
    }
    assert_eq!(t.failures(), 4);
}

#[test]
fn a_gap_is_said_with_its_time_and_reason() {
    let mut t = with_source(None, true);
    t.link(true);
    t.pass(1);
    let gap = Gap {
        why: "the gateway does not tell its history of runs".to_owned(),
        since: Some(t.now.wall.plus_millis(-60_000)),
        until: t.now.wall,
    };
    t.digest.gap(&tenant("acme"), gap);
    let finding = t.digest.judge(t.now, Some(&tenant("acme")));
    assert_eq!(finding.answer, Answer::Ok);
    assert!(
        finding
            .notes
            .iter()
            .any(|note| note.contains("events may be missing from")),
        "{finding:?}"
    );
    let answer = |t: &mut Timeline, tenant_name: &str| {
        let view = t.digest.view(t.now);
        let query = answer::Query {
            tenant: Some(tenant(tenant_name)),
            ..answer::Query::default()
        };
        answer::answer(&view, &query, "mac-3", t.now).unwrap().gap
    };
    assert!(answer(&mut t, "acme"));
    assert!(!answer(&mut t, "beta"));
    t.pass(400);
    assert!(!answer(&mut t, "acme"), "the sliding window has left it behind");
}
