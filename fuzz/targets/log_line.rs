//! A line of a gateway's log: a failure of a tenant that claims it, or nothing; and what it tells is a valid event.

use readyd::ingest::event::Event;
use readyd::ingest::scan;
use readyd::log_tail::Claim;
use readyd::log_tail::line::{self, Told};
use readyd::words::TenantName;

pub fn run(data: &[u8]) {
    let claims = [Claim {
        state_dir: "/srv/acme".into(),
        tenant: TenantName::parse("acme").expect("a name"),
        owner: 501,
    }];
    match line::read(data, 501, &claims) {
        Told::Nothing | Told::Unclaimed => {}
        Told::Failure { tenant, line } => {
            assert_eq!(tenant.as_str(), "acme");
            let fields = scan::scan(&line).expect("it tells JSON");
            let event = Event::read(&fields, false).expect("it tells an event");
            assert_eq!(event.tenant, "acme");
        }
    }
}
