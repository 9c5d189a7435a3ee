//! Shell: `readyd status`: why, worst first, tenants, and the next step.

mod drawn;

use std::process::ExitCode;

use serde_json::Value;

use super::Outcome;
use super::arguments::{Place, Status};
use super::daemon::{Daemon, encoded};
use super::{screen, watch};
use drawn::{Wanted, drawn};
pub use drawn::{draw_head, draw_operations, tenant};

pub fn run(place: &Place, options: &Status, as_json: bool) -> Outcome {
    let tenant = options.tenant();
    let wanted = Wanted {
        tenant,
        all: options.all,
    };
    if options.watch {
        let of = tenant.map(str::to_owned);
        return watch::run(
            place,
            move |daemon| told(daemon, of.as_deref()),
            |status, width, moments| drawn(status, &wanted, width, moments),
        );
    }
    let daemon = Daemon::find(place)?;
    if as_json {
        println!("{:#}", answer(&daemon, tenant)?);
        return Ok(ExitCode::SUCCESS);
    }
    let status = told(&daemon, tenant)?;
    let screen = screen::stdout();
    let sheet = drawn(&status, &wanted, screen.width(), &screen::moments());
    print!("{}", sheet.text(screen.coloured));
    Ok(ExitCode::SUCCESS)
}

/// For machines: everything, or what `/ready/T` says of one tenant (a 503 is an answer here).
fn answer(daemon: &Daemon, tenant: Option<&str>) -> anyhow::Result<Value> {
    let Some(tenant) = tenant else {
        return daemon.json("/v1/status");
    };
    let answer = daemon.get(&format!("/ready/{}", encoded(tenant)))?;
    anyhow::ensure!(answer.status != 404, unknown(tenant));
    Ok(serde_json::from_slice(&answer.body)?)
}

/// Everything, which knows the tenant that is asked for.
pub fn told(daemon: &Daemon, tenant: Option<&str>) -> anyhow::Result<Value> {
    let status = daemon.json("/v1/status")?;
    if let Some(tenant) = tenant {
        anyhow::ensure!(self::tenant(&status, tenant).is_some(), unknown(tenant));
    }
    Ok(status)
}

fn unknown(tenant: &str) -> String {
    format!("{tenant} is not a tenant of this node; `readyd status` lists them")
}
