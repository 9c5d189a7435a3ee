//! A row an event: what one writes first. Fields come parsed; nothing is acknowledged and nothing is recognised twice.

use std::time::Instant;

use rusqlite::{Connection, params};

use super::PIPELINED;
use crate::producer::Lines;

pub fn peer(lines: &Lines) -> Box<dyn FnMut() -> f64> {
    let directory = tempfile::tempdir().unwrap();
    let mut database = Connection::open(directory.path().join("events.sqlite")).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.pragma_update(None, "synchronous", "FULL").unwrap();
    database
        .execute_batch(
            "CREATE TABLE events (tenant TEXT, endpoint TEXT, gateway TEXT, status INTEGER, error TEXT, seq INTEGER)",
        )
        .unwrap();
    let count = lines.count;
    Box::new(move || {
        let _kept = &directory;
        let began = Instant::now();
        for first in (0..count).step_by(PIPELINED) {
            let transaction = database.transaction().unwrap();
            {
                let mut insert = transaction
                    .prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
                    .unwrap();
                for seq in first..(first + PIPELINED).min(count) {
                    let row = params![
                        "t000",
                        "https://hooks.example.net/v1/ep-00007",
                        "gw-1",
                        503,
                        "upstream connect error or disconnect before headers",
                        i64::try_from(seq).unwrap()
                    ];
                    insert.execute(row).unwrap();
                }
            }
            transaction.commit().unwrap();
        }
        let per_second = count as f64 / began.elapsed().as_secs_f64();
        database.execute("DELETE FROM events", []).unwrap();
        per_second
    })
}
