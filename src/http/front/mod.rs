//! Shell: answers plain questions on a connection itself, as long as only such are asked.
//!
//! What load balancers ask each second needs no request object, no map of headers and none of what hangs on them: of what a
//! process spends on such an answer beside the kernel that is more than half. The first bytes that are no whole plain
//! question go to the HTTP library, and the connection with them, for good.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: patience, dates, and how long answers took"
)]

pub(super) mod question;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use actix_web::http::header::HttpDate;
use prometheus::Histogram;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use super::server::{DISCONNECT_PATIENCE, HEAD_PATIENCE, KEEP_ALIVE};
use super::site::Site;
use super::wire::Wire;
use question::{Answer, Date, Question};

/// Questions that are read at once.
const ASKED_BYTES: usize = 4 * 1024;
/// Answers to questions that came together are written together, up to here and one more.
const ANSWERS_BYTES: usize = 32 * 1024;
/// For so long a date is good: the library's clock is as coarse.
const DATE_LASTS: Duration = Duration::from_millis(500);

/// Answers on `wire` until something else is asked. Then it is given back, and the next read of it is what was not answered.
///
/// # Errors
/// The connection is over.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut wire: Wire<S>,
    site: &Site,
    listen: SocketAddr,
    dates: &Dates,
    stopping: impl Future<Output = ()>,
) -> io::Result<Wire<S>> {
    let mut measure = Measure::default();
    let mut asked = [0; ASKED_BYTES].to_vec();
    let mut answers = Vec::new();
    let mut answered: Option<Instant> = None;
    let mut stopping = pin!(stopping);
    let mut patience = pin!(sleep_until(Instant::now() + HEAD_PATIENCE));
    loop {
        let length = tokio::select! {
            biased;
            length = wire.read(&mut asked) => length?,
            () = &mut stopping => 0,
            () = &mut patience => match answered.map(|at| at + KEEP_ALIVE) {
                // It is set when it ends, and not by each answer.
                Some(end) if end > Instant::now() => {
                    patience.as_mut().reset(end);
                    continue;
                }
                Some(_) => 0,
                None => {
                    wire.write_all(&question::too_late(&dates.at(Instant::now()))).await?;
                    0
                }
            },
        };
        if length == 0 {
            return Err(over(wire).await);
        }
        let now = Instant::now();
        let mut rest = &asked[..length];
        while let Some(question) = Question::read(rest)
            && let Some(answer) = question.answer(site, listen)
        {
            answer.write(&dates.at(now), &mut answers);
            measure.answered(site, &answer, now.elapsed());
            rest = &rest[question.length..];
            if answers.len() > ANSWERS_BYTES {
                wire.write_all(&answers).await?;
                answers.clear();
            }
        }
        if !answers.is_empty() {
            wire.write_all(&answers).await?;
            answers.clear();
            wire.flush().await?;
        }
        if !rest.is_empty() {
            wire.unread(rest);
            return Ok(wire);
        }
        answered = Some(now);
    }
}

async fn over<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<S>) -> io::Error {
    let _ = timeout(DISCONNECT_PATIENCE, wire.shutdown()).await;
    io::ErrorKind::ConnectionAborted.into()
}

/// Where one connection's answers are counted: mostly all in one place.
#[derive(Debug, Default)]
struct Measure(Option<(&'static str, &'static str, Histogram)>);

impl Measure {
    fn answered(&mut self, site: &Site, answer: &Answer, took: Duration) {
        let known = self.0.take();
        let known = known.filter(|(route, status, _)| (*route, *status) == (answer.route, answer.status));
        let (.., seconds) = self.0.insert(known.unwrap_or_else(|| {
            let seconds = site.parts.metrics.answers(answer.route, &answer.status[..3]);
            (answer.route, answer.status, seconds)
        }));
        seconds.observe(took.as_secs_f64());
    }
}

/// The `Date` of one worker's answers.
#[derive(Debug)]
pub struct Dates(Cell<Option<(Instant, Date)>>);

impl Dates {
    pub fn new() -> Dates {
        Dates(Cell::new(None))
    }

    fn at(&self, now: Instant) -> Date {
        if let Some((until, date)) = self.0.get()
            && now < until
        {
            return date;
        }
        let text = HttpDate::from(SystemTime::now()).to_string();
        // It is always so long, in all years of four digits.
        let date = text.as_bytes().try_into().unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT");
        self.0.set(Some((now + DATE_LASTS, date)));
        date
    }
}
