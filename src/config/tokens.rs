//! Shell: which tenants give their gateway's token, so that they have a link. What was found is not kept.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Config, Tenant};
use crate::account;
use crate::link::token::{NoToken, TokenPlaces, TokenStamp};
use crate::words::TenantName;

/// Every fourth poll is within two seconds, as for all that is noticed by looking.
const POLLS: u32 = 4;

/// What was found at the last look, of tenants that do not name a `token_file`.
#[derive(Debug, Default)]
pub struct Tokens {
    known: BTreeMap<TenantName, Known>,
    polls: u32,
}

#[derive(Debug)]
struct Known {
    places: TokenPlaces,
    stamp: TokenStamp,
    gives: bool,
}

impl Tokens {
    /// Tells every tenant of `config` that has a gateway where its token is, if it gives one. `home`: ours.
    ///
    /// A `token_file` was named on purpose, whether it is there or not. Of the other places a file that can be read
    /// decides. While none can, it stays as it was: a link whose token is gone for a moment is to say so, and not to
    /// vanish together with its check.
    pub fn find(&mut self, config: &mut Config, home: Option<&Path>) {
        let mut before = std::mem::take(&mut self.known);
        for tenant in config.tenants.values_mut().filter(|tenant| tenant.place().is_some()) {
            let places = places(tenant, home);
            if tenant.token_file.is_some() {
                tenant.token = Some(places);
                continue;
            }
            let stamp = places.stamp();
            let before = before.remove(&tenant.name).filter(|known| known.places == places);
            let gives = match places.read() {
                Ok(_) => true,
                Err(NoToken::Nowhere(_)) => false,
                Err(NoToken::Unusable(_)) => before.is_some_and(|known| known.gives),
            };
            tenant.token = gives.then(|| places.clone());
            self.known.insert(tenant.name.clone(), Known { places, stamp, gives });
        }
    }

    /// Whether one of the files is another than at the last look.
    pub fn have_changed(&mut self) -> bool {
        self.polls = (self.polls + 1) % POLLS;
        self.polls == 0 && self.known.values().any(|known| known.places.stamp() != known.stamp)
    }
}

fn places(tenant: &Tenant, home: Option<&Path>) -> TokenPlaces {
    let Some(user) = tenant.user.as_deref() else {
        return TokenPlaces::of(tenant, home, vec![account::own_uid()]);
    };
    match account::by_name(user).ok().flatten() {
        Some(account) => TokenPlaces::of(tenant, Some(&account.home), vec![account.uid]),
        None => TokenPlaces::of(tenant, None, Vec::new()),
    }
}

#[cfg(test)]
mod tests;
