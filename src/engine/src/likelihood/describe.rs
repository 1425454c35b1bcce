//! The block structure in words.

use std::fmt;

use crate::likelihood::structure::Structure;

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (c, l) in self.chain.iter().enumerate() {
            let nested = if c + 1 < self.chain.len() { ", nested in the next" } else { "" };
            writeln!(
                f,
                "factor {}: {} blocks of {} x {}, eliminated level by level{nested}",
                l.factor + 1,
                l.levels,
                l.q,
                l.q
            )?;
        }
        for t in &self.trail {
            writeln!(f, "factor {}: {} blocks of {} x {}, in the trailing matrix", t.factor + 1, t.levels, t.q, t.q)?;
        }
        if self.trailing_order() > 0 {
            let (fill, dense) = self.trailing_fill();
            let kind = if dense { "dense" } else { "sparse" };
            writeln!(
                f,
                "trailing matrix: order {}, {kind}, {:.0} elements in the factor",
                self.trailing_order(),
                fill
            )?;
        }
        write!(f, "workspace: {:.1} MB", self.bytes / 1e6)
    }
}
