//! What an item would be on paper, counted from its file: what people would carry from counter to counter.

use std::collections::BTreeSet;

use kanhe_proto::item::Item;

/// Papers and visits of one case without a wallet. What is optional, and who may stay away, is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paperwork {
    /// Each licence and attachment, once for each bureau that sees it, and each certificate that is read instead.
    pub papers: usize,
    /// Each bureau to which a party gives something or from which it would fetch a certificate, once for each party.
    pub visits: usize,
}

impl Paperwork {
    /// Of an item.
    pub fn of(item: &Item) -> Self {
        let takes_part = |of: &str| item.party.iter().any(|party| party.code.as_str() == of && !party.optional);
        let asks = item.ask.iter().filter(|ask| !ask.optional).map(|ask| (ask.of.as_str(), &ask.to));
        let attachments =
            item.attachment.iter().filter(|paper| !paper.optional).map(|paper| (paper.of.as_str(), &paper.to));
        let shown: Vec<_> = asks.chain(attachments).filter(|(of, _)| takes_part(of)).collect();
        let read: Vec<_> = item.read.iter().filter(|read| takes_part(&read.of)).collect();
        let mut visits = BTreeSet::new();
        visits.extend(shown.iter().flat_map(|(of, to)| to.iter().map(|role| (*of, role.as_str()))));
        visits.extend(read.iter().map(|read| (read.of.as_str(), read.from.as_str())));
        for field in item.field.iter().filter(|field| !field.optional && takes_part(&field.of)) {
            visits.extend(field.to.iter().map(|role| (field.of.as_str(), role.as_str())));
        }
        for given in item.yields.iter().filter(|given| takes_part(&given.to)) {
            let step = item.step.iter().find(|step| step.code == given.step);
            visits.extend(step.map(|step| (given.to.as_str(), step.by.as_str())));
        }
        Self { papers: shown.iter().map(|(_, to)| to.len()).sum::<usize>() + read.len(), visits: visits.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ItemSource;

    #[test]
    fn each_paper_counts_for_each_bureau_that_sees_it() {
        let of = |text: &str| Paperwork::of(&ItemSource::of(text.to_owned()).unwrap().item);
        let flat = include_str!("../../../deploy/items/flat-registration.toml");
        // Licence and floor plan for housing; the purchase for tax and registry, the identity card for the registry; the
        // marriage is read. The developer goes to housing; the buyer to tax, bank, registry and civil affairs.
        assert_eq!(of(flat), Paperwork { papers: 6, visits: 5 });
        // What the spouse shows, identity card and marriage to the registry, is not counted: it may stay away.
        let alone = flat.replacen("kind = \"person\"\noptional = true", "kind = \"person\"", 1);
        assert_eq!(of(&alone), Paperwork { papers: 8, visits: 6 });
    }
}
