//! Rows as they are shown, made when somebody looks at them.
//!
//! A published window shares what it is made of with the window that goes on counting: a tenant is copied when it
//! changes, and not before. So fifty thousand endpoints that nobody asks for cost no rows.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::sliding::Tenant;
use super::tally::{Tally, sort_rows};
use super::view::Row;
use crate::words::TenantName;

/// All rows of one window, most failures first. Looking at them renders them, once; they are let go of with the window.
#[derive(Clone, Default)]
pub struct Rows {
    of: Vec<(TenantName, Counted)>,
    count: usize,
    rendered: OnceLock<Vec<Row>>,
}

/// What one tenant's rows are made of.
#[derive(Clone, Debug)]
pub(super) enum Counted {
    Sliding(Arc<Tenant>),
    Aligned(Arc<Tally>),
}

impl Rows {
    pub(super) fn of(of: Vec<(TenantName, Counted)>) -> Rows {
        let counts = of.iter().map(|(_, counted)| match counted {
            Counted::Sliding(tenant) => tenant.row_count(),
            Counted::Aligned(tally) => tally.row_count(),
        });
        Rows {
            count: counts.sum(),
            of,
            rendered: OnceLock::new(),
        }
    }

    /// How many there are; none is rendered for it.
    pub fn count(&self) -> usize {
        self.count
    }

    fn render(&self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.count);
        for (name, counted) in &self.of {
            match counted {
                Counted::Sliding(tenant) => tenant.rows(name, &mut rows),
                Counted::Aligned(tally) => tally.rows(name, &mut rows),
            }
        }
        sort_rows(&mut rows);
        rows
    }
}

impl From<Vec<Row>> for Rows {
    fn from(rows: Vec<Row>) -> Rows {
        Rows {
            of: Vec::new(),
            count: rows.len(),
            rendered: rows.into(),
        }
    }
}

impl Deref for Rows {
    type Target = [Row];

    fn deref(&self) -> &[Row] {
        self.rendered.get_or_init(|| self.render())
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Rows) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
