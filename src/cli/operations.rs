//! Shell: maintenance, drain and reload, over `control.sock`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::{Drain, Maintenance, Place, Undrain};
use super::daemon::{Daemon, encoded};
use super::table::columns;

pub fn maintenance(place: &Place, command: &Maintenance, as_json: bool) -> Outcome {
    let daemon = Daemon::find(place)?;
    match command {
        Maintenance::Start {
            tenant,
            duration,
            reason,
            ticket,
        } => done(
            &daemon.post(
                "/v1/maintenance",
                json!({"tenant": tenant, "for": duration, "reason": reason, "ticket": ticket})
                    .to_string()
                    .into_bytes(),
            )?,
            as_json,
        ),
        Maintenance::End { tenant } => done(
            &daemon.delete(&format!("/v1/maintenance/{}", encoded(tenant)))?,
            as_json,
        ),
        Maintenance::List => {
            let list = daemon.json("/v1/maintenance")?;
            if as_json {
                println!("{list:#}");
            } else {
                print!("{}", drawn(&list));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

pub fn drain(place: &Place, options: &Drain, as_json: bool) -> Outcome {
    let body = json!({"tenant": options.tenant, "reason": options.reason});
    done(
        &Daemon::find(place)?.post("/v1/drain", body.to_string().into_bytes())?,
        as_json,
    )
}

pub fn undrain(place: &Place, options: &Undrain, as_json: bool) -> Outcome {
    let target = match &options.tenant {
        Some(tenant) => format!("/v1/drain?tenant={}", encoded(tenant)),
        None => "/v1/drain".to_string(),
    };
    done(&Daemon::find(place)?.delete(&target)?, as_json)
}

pub fn reload(place: &Place, as_json: bool) -> Outcome {
    done(&Daemon::find(place)?.post("/v1/reload", Vec::new())?, as_json)
}

/// Prints what was done; an operation that is in force but not yet on disk says so.
fn done(reply: &Value, as_json: bool) -> Outcome {
    if as_json {
        println!("{reply:#}");
    } else {
        println!("{}", reply["message"].as_str().unwrap_or("done"));
    }
    Ok(ExitCode::SUCCESS)
}

fn drawn(list: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_string();
    let windows: Vec<(&String, &Value)> = list["maintenance"].as_object().into_iter().flatten().collect();
    if windows.is_empty() {
        return "nothing is in maintenance\n".into();
    }
    let mut rows = vec![
        ["TENANT", "UNTIL", "ACTOR", "TICKET", "REASON"]
            .map(String::from)
            .to_vec(),
    ];
    rows.extend(windows.iter().map(|(tenant, window)| {
        let mut row = vec![tenant.to_string()];
        row.extend(["until", "actor", "ticket", "reason"].map(|field| text(&window[field])));
        row
    }));
    columns(&rows)
}
