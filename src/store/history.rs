//! Shell: changes and times unwatched on disk: how they are written, bounded, and read in one piece.
//!
//! No rollups: a change tells the length of what it ended, so that a status costs nothing while it stays. 90 days of
//! a tenant that changes twice a day are 180 rows of some 150 bytes, where five-minute windows would be 26 thousand.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use super::reader::{ReadError, Reader, transition, wall};
use super::schema::Unfit;
use super::{TransitionQuery, reader};
use crate::history::{Entry, SPAN_MAX, Unwatched, Why};
use crate::readiness::snapshot::Transition;
use crate::words::{ProbeName, TenantName, Wall};

/// Rows that are kept: some 30 MB with their indices.
const ROWS_MAX: i64 = 200_000;
/// When there are more, a subject that has more than its share loses its oldest first: one check that flaps day and night
/// must not cost everybody else's history.
const ROWS_OF_SUBJECT: i64 = 10_000;

const CHANGE: i64 = 0;
const UNWATCHED: i64 = 1;

/// What is wanted of the record.
#[derive(Clone, Debug)]
pub struct RecordQuery {
    /// Changes at this moment or later. Times unwatched are given in full: they are few.
    pub since: Wall,
    /// Changes of these checks besides those of node and tenants; both `None`: of no check.
    pub tenant: Option<TenantName>,
    pub probe: Option<ProbeName>,
    /// What is listed, apart from that.
    pub listed: TransitionQuery,
}

/// What was read, in one transaction.
#[derive(Clone, Debug, Default)]
pub struct RecordRows {
    /// By id, ascending.
    pub entries: Vec<(i64, Entry)>,
    /// Keys and JSON.
    pub state: Vec<(String, String)>,
    /// Of what was before, rows are missing.
    pub begins: Wall,
    /// Newest first.
    pub transitions: Vec<Transition>,
}

impl Reader {
    /// What history is made of. `wants`: whether the state under a key is wanted.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn record(&self, wanted: &RecordQuery, wants: &dyn Fn(&str) -> bool) -> Result<RecordRows, ReadError> {
        self.read(|connection| {
            // One view of the file: else a change could be in what is shown and not in what was recorded.
            let transaction = connection.unchecked_transaction()?;
            let rows = RecordRows {
                begins: wall(transaction.query_row("SELECT history_from FROM header", [], |row| row.get(0))?),
                entries: entries(&transaction, wanted)?,
                state: state(&transaction, wants)?,
                transitions: reader::transitions(&transaction, &wanted.listed)?,
            };
            transaction.finish()?;
            Ok(rows)
        })
    }
}

pub(super) fn write(transaction: &Transaction<'_>, entries: &[Entry]) -> Result<(), Unfit> {
    const CHANGED: &str = "INSERT INTO transitions
        (at, tenant, probe, was, became, summary, since, last_good, first_bad) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    const DARK: &str = "INSERT INTO transitions (kind, at, since, summary, was, became) VALUES (1, ?1, ?2, ?3, '', '')";
    for entry in entries {
        match entry {
            Entry::Change(change) => transaction.prepare_cached(CHANGED)?.execute(params![
                change.at.as_millis(),
                change.tenant.as_ref().map(|tenant| tenant.as_str()),
                change.probe.as_ref().map(|probe| probe.as_str()),
                change.from,
                change.to,
                change.summary,
                change.since.map(Wall::as_millis),
                change.last_good_at.map(Wall::as_millis),
                change.first_bad_at.map(Wall::as_millis),
            ])?,
            Entry::Unwatched(dark) => transaction.prepare_cached(DARK)?.execute(params![
                dark.until.as_millis(),
                dark.from.as_millis(),
                dark.why.as_str(),
            ])?,
        };
    }
    Ok(())
}

/// Forgets what is older than can be asked for, and the oldest of what is too much.
pub(super) fn prune(transaction: &Transaction<'_>, now: Wall) -> Result<(), Unfit> {
    let kept = i64::try_from(SPAN_MAX.as_millis()).unwrap_or(i64::MAX);
    let oldest = now.as_millis().saturating_sub(kept);
    transaction.execute("DELETE FROM transitions WHERE at < ?1", [oldest])?;
    bound(transaction, ROWS_MAX, ROWS_OF_SUBJECT)
}

/// At most `rows_max` rows.
pub(super) fn bound(transaction: &Transaction<'_>, rows_max: i64, rows_of_subject: i64) -> Result<(), Unfit> {
    let count = |what: &str| transaction.query_row(what, [], |row| row.get::<_, i64>(0));
    const ALL: &str = "SELECT count(*) FROM transitions";
    if count(ALL)? <= rows_max {
        return Ok(());
    }
    // Without a mark: the oldest change that stays says since when that held which it ended.
    let mut crowds = transaction
        .prepare("SELECT tenant, probe FROM transitions WHERE kind = 0 GROUP BY tenant, probe HAVING count(*) > ?1")?;
    let crowds = crowds.query_map([rows_of_subject], |row| {
        Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?))
    })?;
    for crowd in crowds {
        let (tenant, probe) = crowd?;
        transaction.execute(
            "DELETE FROM transitions WHERE id IN (SELECT id FROM transitions
             WHERE kind = 0 AND tenant IS ?1 AND probe IS ?2 ORDER BY id DESC LIMIT -1 OFFSET ?3)",
            params![tenant, probe, rows_of_subject],
        )?;
    }
    let beyond = count(ALL)? - rows_max;
    let last: Option<(i64, i64)> = transaction
        .query_row(
            "SELECT max(id), max(at) FROM (SELECT id, at FROM transitions ORDER BY id LIMIT ?1)",
            [beyond.max(0)],
            |row| Ok((row.get::<_, Option<i64>>(0)?).zip(row.get::<_, Option<i64>>(1)?)),
        )
        .optional()?
        .flatten();
    if let Some((id, at)) = last {
        transaction.execute("DELETE FROM transitions WHERE id <= ?1", [id])?;
        transaction.execute("UPDATE header SET history_from = max(history_from, ?1)", [at])?;
    }
    Ok(())
}

fn entries(connection: &Connection, wanted: &RecordQuery) -> rusqlite::Result<Vec<(i64, Entry)>> {
    const COLUMNS: &str = "SELECT at, tenant, probe, was, became, '', since, last_good, first_bad, id, kind, summary";
    let mut found = Vec::new();
    let of_verdicts = format!("{COLUMNS} FROM transitions INDEXED BY transitions_verdicts WHERE probe IS NULL");
    let mut verdicts = connection.prepare_cached(&format!(
        "{of_verdicts} AND kind = {CHANGE} AND at >= :since UNION ALL {of_verdicts} AND kind = {UNWATCHED}"
    ))?;
    let since = wanted.since.as_millis();
    for row in verdicts.query_map(named_params! {":since": since}, entry)? {
        found.push(row?);
    }
    if wanted.tenant.is_some() || wanted.probe.is_some() {
        let mut checks = connection.prepare_cached(&format!(
            "{COLUMNS} FROM transitions WHERE probe IS NOT NULL AND at >= :since
             AND (:tenant IS NULL OR tenant = :tenant) AND (:probe IS NULL OR probe = :probe)"
        ))?;
        let parameters = named_params! {
            ":since": since,
            ":tenant": wanted.tenant.as_ref().map(TenantName::as_str),
            ":probe": wanted.probe.as_ref().map(ProbeName::as_str),
        };
        for row in checks.query_map(parameters, entry)? {
            found.push(row?);
        }
    }
    found.sort_by_key(|(id, _)| *id);
    Ok(found)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<(i64, Entry)> {
    let id = row.get(9)?;
    if row.get::<_, i64>(10)? == CHANGE {
        return Ok((id, Entry::Change(transition(row)?)));
    }
    let why: String = row.get(11)?;
    let until = wall(row.get(0)?);
    let dark = Unwatched {
        from: row.get::<_, Option<i64>>(6)?.map_or(until, wall),
        until,
        // What a later readyd calls otherwise is unwatched all the same.
        why: Why::ALL
            .into_iter()
            .find(|word| word.as_str() == why)
            .unwrap_or(Why::Stopped),
    };
    Ok((id, Entry::Unwatched(dark)))
}

fn state(connection: &Connection, wants: &dyn Fn(&str) -> bool) -> rusqlite::Result<Vec<(String, String)>> {
    let mut query = connection.prepare_cached("SELECT key, body FROM state")?;
    let mut rows = query.query([])?;
    let mut state = Vec::new();
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_str().unwrap_or_default();
        if wants(key) {
            state.push((key.to_owned(), row.get(1)?));
        }
    }
    Ok(state)
}
