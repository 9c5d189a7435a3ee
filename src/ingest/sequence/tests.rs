use super::*;

/// Places numbers one after the other and shows what became of each.
fn places(hello: u64, seqs: &[u64]) -> String {
    let mut sequence = Sequence::new(hello);
    let mut transcript = String::new();
    for seq in seqs {
        let place = match sequence.place(*seq) {
            Place::New { gap: 0 } => "new".to_owned(),
            Place::New { gap } => format!("new after {gap}"),
            Place::Repeat => "repeat".to_owned(),
            Place::Refused(reason) => reason.to_string(),
        };
        transcript += &format!("{seq}: {place}, ");
    }
    transcript + &format!("last {}", sequence.last())
}

#[test]
fn numbers_in_a_row_are_new() {
    assert_eq!(places(0, &[1, 2, 3]), "1: new, 2: new, 3: new, last 3");
    assert_eq!(places(7, &[8, 9]), "8: new, 9: new, last 9");
}

#[test]
fn zero_is_a_repeat_since_a_new_producer_is_at_zero() {
    assert_eq!(places(0, &[0, 1]), "0: repeat, 1: new, last 1");
}

#[test]
fn a_number_not_above_the_previous_one_is_refused_before_it_could_be_a_repeat() {
    assert_eq!(
        places(0, &[2, 2, 1, 3]),
        "2: new after 1, 2: not_increasing, 1: not_increasing, 3: new, last 3"
    );
    assert_eq!(
        places(10, &[5, 5, 4, 6]),
        "5: repeat, 5: not_increasing, 4: not_increasing, 6: repeat, last 10"
    );
}

#[test]
fn what_the_hello_knew_is_a_repeat_and_what_follows_it_is_new() {
    assert_eq!(places(10, &[9, 10, 11]), "9: repeat, 10: repeat, 11: new, last 11");
}

#[test]
fn gaps_count_the_numbers_skipped_since_the_hello_or_the_previous_line() {
    assert_eq!(
        places(10, &[13, 14, 20]),
        "13: new after 2, 14: new, 20: new after 5, last 20"
    );
    assert_eq!(places(10, &[3, 12]), "3: repeat, 12: new after 1, last 12");
}

#[test]
fn a_leap_beyond_two_to_the_32nd_is_refused_and_leaves_the_sequence_alone() {
    let leap = Sequence::LEAP_MAX;
    assert_eq!(
        places(10, &[10 + leap + 1, 11]),
        format!("{}: bad_field, 11: new, last 11", 10 + leap + 1)
    );
    assert_eq!(
        places(10, &[10 + leap]),
        format!("{}: new after {}, last {}", 10 + leap, leap - 1, 10 + leap)
    );
    assert_eq!(
        places(0, &[5, u64::MAX, 6]),
        format!("5: new after 4, {}: bad_field, 6: new, last 6", u64::MAX)
    );
}

#[test]
fn the_leap_is_measured_from_the_higher_of_hello_and_previous() {
    let leap = Sequence::LEAP_MAX;
    // A repeat makes the previous one low; the hello still stands.
    assert_eq!(
        places(100, &[1, 100 + leap]),
        format!("1: repeat, {}: new after {}, last {}", 100 + leap, leap - 1, 100 + leap)
    );
}

#[test]
fn a_producer_at_the_end_of_its_numbers_is_not_helped_by_overflow() {
    assert_eq!(
        places(u64::MAX - 1, &[u64::MAX, 1]),
        format!("{}: new, 1: not_increasing, last {}", u64::MAX, u64::MAX)
    );
}
