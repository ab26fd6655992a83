//! Words that are as frequent as words are: the n-th is in one place of n.

use rand::RngExt;
use rand::rngs::StdRng;

pub const WORDS: usize = 20_000;

/// Words by their rank; the first is the most frequent.
pub struct Words(pub Vec<String>);

impl Words {
    pub fn new() -> Self {
        const SYLLABLES: [&str; 28] = [
            "ba", "co", "di", "fu", "ga", "ha", "jo", "ka", "lu", "ma", "no", "pa", "qui", "ro", "sa", "tu", "ve",
            "wi", "xo", "ya", "zu", "ber", "cal", "dor", "fin", "gor", "lim", "tan",
        ];
        // Of the first words there are more short ones.
        let word = |rank: usize| {
            let mut rest = rank * 31 + 7;
            let mut word = String::new();
            while rest > 0 || word.len() < 4 {
                word.push_str(SYLLABLES[rest % SYLLABLES.len()]);
                rest /= SYLLABLES.len();
            }
            word
        };
        Self((0..WORDS).map(word).collect())
    }

    /// A word as frequent as words of its rank are.
    pub fn any(&self, random: &mut StdRng) -> &str {
        let rank = (random.random::<f64>() * (WORDS as f64).ln()).exp() as usize - 1;
        &self.0[rank.min(WORDS - 1)]
    }

    pub fn text(&self, random: &mut StdRng, count: usize) -> String {
        (0..count).map(|_| self.any(random)).collect::<Vec<_>>().join(" ")
    }
}
