//! A small generator of its own: a test prints its seed, and one seed is one order of events.

/// xorshift64; never 0.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// A seed of the process and of `lane`; it is printed.
    pub fn thrown(lane: u64) -> Dice {
        let seed = (0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id()))
            .wrapping_add(lane.wrapping_mul(0x5851_f42d_4c95_7f2d));
        println!("seed {seed:#x}");
        Dice(seed | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
