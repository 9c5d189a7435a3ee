//! Shell: `readyd digest`: webhook failures by endpoint and family.

mod drawn;

use std::process::ExitCode;

use super::Outcome;
use super::arguments::{Digest, Place};
use super::daemon::{Daemon, encoded};
use super::{screen, watch};
use drawn::drawn;

pub fn run(place: &Place, options: &Digest, as_json: bool) -> Outcome {
    let mut target = format!(
        "/v1/webhook-digest?window={}&limit={}",
        encoded(&options.window),
        options.limit
    );
    if let Some(tenant) = &options.tenant {
        target.push_str(&format!("&tenant={}", encoded(tenant)));
    }
    if options.watch {
        return watch::run(place, move |daemon| daemon.json(&target), drawn);
    }
    let digest = Daemon::find(place)?.json(&target)?;
    if as_json {
        println!("{digest:#}");
    } else {
        let screen = screen::stdout();
        let sheet = drawn(&digest, screen.width(), &screen::moments());
        print!("{}", sheet.text(screen.coloured));
    }
    Ok(ExitCode::SUCCESS)
}
