//! Shell: which `openclaw.json` the gateway has taken up last, as it writes down in its own state database.
//!
//! Measured on 2026.9.6: after each start and each valid change that its watcher saw, `config_health_entries` holds the
//! SHA-256 of the file's bytes in `last_known_good_json`; a change that it refused (invalid) is not written there, and the
//! CLI's commands do not write there. It says the same in reload mode `off`, in which nothing is applied: the caller looks
//! at that.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};
use serde_json::Value;

use super::super::queue::sqlite;
use super::judge::InForce;
use crate::words::Cause;

/// One entry a config file that this state was ever used with.
const ROWS_MAX: usize = 64;

/// Whether the gateway took up `config` as it is now, whose bytes are `bytes`.
pub fn look(state_dir: &Path, config: &Path, bytes: &[u8]) -> InForce {
    const NO_RECORD: &str = "whether the gateway took it up is not written down by this version";
    let place = std::fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
    let database = place.join(sqlite::DATABASE);
    if !database.is_file() {
        return InForce::Untold(NO_RECORD);
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let sum: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    match taken_up(&database, config) {
        Ok(None) => InForce::Untold(NO_RECORD),
        Ok(Some(taken)) if taken == sum => InForce::Yes,
        Ok(Some(_)) => InForce::No("the gateway did not take it up (see: openclaw config validate, openclaw logs)"),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                InForce::Unknown(Cause::Timeout, "the gateway's state database is locked")
            }
            Some(ErrorCode::SystemIoFailure) => InForce::Unknown(Cause::Local, "its state database cannot be read"),
            _ => InForce::Untold("the gateway's state database cannot be read"),
        },
    }
}

/// The sum that is written down for `config`; `None`: none is.
fn taken_up(database: &Path, config: &Path) -> Result<Option<String>, rusqlite::Error> {
    let connection = sqlite::open(database, &mut Vec::new())?;
    connection.busy_timeout(sqlite::BUSY_TIMEOUT)?;
    // The file is its owner's: views and triggers in it shall not call functions with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    if !connection.table_exists(Some("main"), "config_health_entries")? {
        return Ok(None);
    }
    let wanted = [Some(config.to_owned()), std::fs::canonicalize(config).ok()];
    let rows = rows(&connection)?;
    let own = rows
        .iter()
        .find(|(path, _)| wanted.iter().flatten().any(|wanted| wanted == Path::new(path)));
    Ok(own.and_then(|(_, record)| {
        let record: Value = serde_json::from_str(record.as_deref()?).ok()?;
        Some(record["hash"].as_str()?.to_ascii_lowercase())
    }))
}

type Row = (String, Option<String>);

fn rows(connection: &Connection) -> Result<Vec<Row>, rusqlite::Error> {
    let sql = format!("SELECT config_path, last_known_good_json FROM config_health_entries LIMIT {ROWS_MAX}");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
