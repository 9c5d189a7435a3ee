use super::*;

const DAY: i64 = 86_400_000;

fn at(day: i64) -> Wall {
    Wall::from_millis(day * DAY)
}

/// A connection that comes, counts up to `last_seq`, and goes.
fn visit(registry: &mut Registry, pair: &Pair, last_seq: u64, now: Wall) -> Result<u64, HelloRefused> {
    let found = registry.claim(pair, 1000, now)?;
    registry.advance(pair, last_seq, now);
    registry.release(pair, now);
    Ok(found)
}

/// What a restart would find.
fn stored(registry: &mut Registry) -> Registry {
    registry.change_all();
    let rows = registry.take_changes().into_values().flatten().collect();
    Registry::new(rows)
}

#[test]
fn a_pair_goes_on_where_it_was_also_after_a_restart() {
    let mut registry = Registry::default();
    let pair = Pair::new("gw", "a");
    assert_eq!(visit(&mut registry, &pair, 7, at(0)), Ok(0));
    assert_eq!(visit(&mut registry, &pair, 9, at(0)), Ok(7));
    assert_eq!(visit(&mut stored(&mut registry), &pair, 9, at(0)), Ok(9));
    assert_eq!(visit(&mut registry, &Pair::new("gw", "b"), 1, at(0)), Ok(0));
}

#[test]
fn a_pair_belongs_to_the_first_uid_that_used_it_and_to_one_connection_at_a_time() {
    let mut registry = Registry::default();
    let pair = Pair::new("gw", "");
    assert_eq!(registry.claim(&pair, 1, at(0)), Ok(0));
    assert_eq!(registry.claim(&pair, 1, at(0)), Err(HelloRefused::ProducerInUse));
    registry.advance(&pair, 1, at(0));
    registry.release(&pair, at(0));
    assert_eq!(registry.claim(&pair, 2, at(0)), Err(HelloRefused::NotYours));
    assert_eq!(
        stored(&mut registry).claim(&pair, 2, at(0)),
        Err(HelloRefused::NotYours)
    );
    assert_eq!(registry.claim(&Pair::new("gw", "new"), 2, at(0)), Ok(0));
}

#[test]
fn a_pair_that_counted_nothing_is_forgotten_with_its_connection() {
    let mut registry = Registry::default();
    for number in 0..2 * Registry::PRODUCERS_MAX {
        let pair = Pair::new(&format!("gw-{number}"), "");
        assert_eq!(registry.claim(&pair, 1, at(0)), Ok(0));
        registry.release(&pair, at(0));
    }
    assert!(registry.take_changes().is_empty());
}

#[test]
fn the_eight_newest_epochs_are_kept_and_a_retired_one_is_refused_also_after_a_restart() {
    let mut registry = Registry::default();
    let epoch = |number: usize| Pair::new("gw", &number.to_string());
    for number in 0..Registry::EPOCHS_MAX + 2 {
        assert_eq!(visit(&mut registry, &epoch(number), 5, at(0)), Ok(0));
    }
    for registry in [&mut stored(&mut registry), &mut registry] {
        for number in 0..2 {
            assert_eq!(
                registry.claim(&epoch(number), 1000, at(0)),
                Err(HelloRefused::EpochRetired)
            );
        }
        for number in 2..Registry::EPOCHS_MAX + 2 {
            assert_eq!(registry.claim(&epoch(number), 1000, at(0)), Ok(5));
        }
    }
}

#[test]
fn a_connected_epoch_is_not_retired_and_an_unused_hello_retires_nobody() {
    let mut registry = Registry::default();
    let old = Pair::new("gw", "old");
    visit(&mut registry, &old, 5, at(0)).unwrap();
    for number in 0..100 {
        let unused = Pair::new("gw", &format!("unused-{number}"));
        registry.claim(&unused, 1000, at(0)).unwrap();
        registry.release(&unused, at(0));
    }
    assert_eq!(registry.claim(&old, 1000, at(0)), Ok(5));
    for number in 0..100 {
        visit(&mut registry, &Pair::new("gw", &number.to_string()), 1, at(0)).unwrap();
    }
    registry.advance(&old, 6, at(0));
    registry.release(&old, at(0));
    assert_eq!(registry.claim(&old, 1000, at(0)), Ok(6));
}

#[test]
fn so_many_retired_epochs_are_remembered_and_no_more() {
    let mut registry = Registry::default();
    for number in 0..1000 {
        visit(&mut registry, &Pair::new("gw", &number.to_string()), 1, at(0)).unwrap();
    }
    registry.change_all();
    let rows = registry.take_changes().into_values().flatten().count();
    assert_eq!(rows, Registry::EPOCHS_MAX + Registry::RETIRED_MAX);
}

#[test]
fn beyond_1024_producers_one_is_refused_until_another_was_idle_for_a_week() {
    let mut registry = Registry::default();
    for number in 0..Registry::PRODUCERS_MAX {
        let day = if number == 3 { 0 } else { 1 };
        visit(&mut registry, &Pair::new(&format!("gw-{number}"), ""), 1, at(day)).unwrap();
    }
    let new = Pair::new("new", "");
    assert_eq!(registry.claim(&new, 1, at(7)), Err(HelloRefused::TooManyProducers));
    assert_eq!(visit(&mut registry, &Pair::new("gw-5", "another"), 1, at(7)), Ok(0));
    registry.take_changes();
    let later = at(7).plus_millis(1);
    assert_eq!(registry.claim(&new, 1, later), Ok(0));
    let forgotten: Vec<_> = registry.take_changes().into_iter().collect();
    assert_eq!(forgotten, [(("gw-3".into(), "".into()), None)]);
    assert_eq!(
        registry.claim(&Pair::new("gw-3", ""), 1, later),
        Err(HelloRefused::TooManyProducers)
    );
}

#[test]
fn a_silent_connection_is_not_idle_and_its_week_begins_when_it_goes() {
    let mut registry = Registry::default();
    let pair = Pair::new("gw", "");
    registry.claim(&pair, 1000, at(0)).unwrap();
    registry.advance(&pair, 5, at(0));
    registry.expire(at(30));
    registry.release(&pair, at(30));
    registry.expire(at(36));
    assert_eq!(visit(&mut registry, &pair, 5, at(36)), Ok(5));
    registry.expire(at(44));
    assert_eq!(visit(&mut registry, &pair, 5, at(44)), Ok(0));
}
