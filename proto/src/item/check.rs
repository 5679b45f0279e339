//! What makes an item wrong, whatever registry it is for: every fault with its place.

use super::file::{FieldKind, Item};
use super::name::is_item_code;
use super::{Fault, FaultKind, ITEM_FORMAT, PartName, Place, Words, graph, is_part_name};
use crate::consent::is_trace;
use crate::limits::{ATTACHMENT_BYTES_MAX, CASE_LIFE_DAYS_MAX, STEP_LIMIT_DAYS_MAX};
use crate::registry::Names;
use crate::sd_jwt::ClaimPath;

impl Item {
    /// Everything that is wrong with it, in the order of the file.
    pub fn faults(&self) -> Vec<Fault> {
        let mut check = Check { item: self, found: Vec::new() };
        check.head();
        check.parties();
        check.roles();
        check.asks();
        check.fields();
        check.reads();
        check.steps();
        check.rules();
        check.yields();
        check.samples();
        check.found.extend(graph::faults(self));
        check.found
    }
}

struct Check<'a> {
    item: &'a Item,
    found: Vec<Fault>,
}

impl<'a> Check<'a> {
    fn require(&mut self, holds: bool, kind: FaultKind, at: Place, name: impl ToString) {
        if !holds {
            self.found.push(Fault { at, kind, name: name.to_string() });
        }
    }
    fn names(&mut self, names: &Names, at: &Place) {
        let whole = !names.zh.trim().is_empty() && !names.en.trim().is_empty();
        self.require(whole, FaultKind::Words, at.member("names"), &names.en);
    }
    fn words(&mut self, words: &Words, at: Place) {
        let whole = !words.zh.trim().is_empty() && !words.en.trim().is_empty();
        self.require(whole, FaultKind::Words, at, &words.en);
    }
    /// The names of parts of one kind: well formed, and each once.
    fn codes(&mut self, kind: &str, codes: impl Iterator<Item = &'a PartName>) {
        let mut known: Vec<&PartName> = Vec::new();
        for (place, code) in codes.enumerate() {
            let at = Place::of(kind).element(place).member("code");
            self.require(is_part_name(code), FaultKind::Name, at.clone(), code);
            self.require(!known.contains(&code), FaultKind::Twice, at, code);
            known.push(code);
        }
    }
    fn party(&mut self, code: &PartName, at: Place) {
        let known = self.item.party.iter().any(|party| party.code == *code);
        self.require(known, FaultKind::Unknown, at, code);
    }
    fn role(&mut self, code: &PartName, at: Place) {
        let known = self.item.bureau.iter().any(|bureau| bureau.code == *code);
        self.require(known, FaultKind::Unknown, at, code);
    }
    fn list<'b>(
        &mut self,
        codes: impl Iterator<Item = &'b PartName>,
        at: &Place,
        one: fn(&mut Self, &PartName, Place),
    ) {
        let mut known: Vec<&PartName> = Vec::new();
        for (place, code) in codes.enumerate() {
            one(self, code, at.element(place));
            self.require(!known.contains(&code), FaultKind::Twice, at.element(place), code);
            known.push(code);
        }
    }
    /// What goes from a party to bureaus: each of them has a step that waits for the party, else it comes too late.
    fn sent(&mut self, of: &PartName, to: &[PartName], at: &Place) {
        self.party(of, at.member("of"));
        self.require(!to.is_empty(), FaultKind::Empty, at.member("to"), "to");
        self.list(to.iter(), &at.member("to"), Self::role);
        for (place, role) in to.iter().enumerate() {
            let known = self.item.bureau.iter().any(|bureau| bureau.code == *role);
            let awaited = self.item.step.iter().any(|step| step.by == *role && step.waits_for.contains(of));
            self.require(!known || awaited, FaultKind::NotAwaited, at.member("to").element(place), role);
        }
    }
    fn claims<'b>(&mut self, claims: impl Iterator<Item = &'b str>, at: &Place) {
        for (place, claim) in claims.enumerate() {
            let form = claim.parse::<ClaimPath>().is_ok_and(|path| !is_trace(&path));
            self.require(form, FaultKind::Claim, at.element(place), claim);
        }
    }

    fn head(&mut self) {
        let item = self.item;
        self.require(item.format == ITEM_FORMAT, FaultKind::Format, Place::of("format"), item.format);
        self.require(is_item_code(&item.code), FaultKind::Code, Place::of("code"), &item.code);
        self.require(item.version.0 > 0, FaultKind::Version, Place::of("version"), item.version);
        self.require(!item.region.is_empty(), FaultKind::Empty, Place::of("region"), "region");
        self.require(!item.purpose.is_empty(), FaultKind::Empty, Place::of("purpose"), "purpose");
        self.names(&item.names, &Place::default());
        self.words(&item.about, Place::of("about"));
        let life = (1..=CASE_LIFE_DAYS_MAX).contains(&item.life_days);
        self.require(life, FaultKind::Range, Place::of("life_days"), item.life_days);
    }

    fn parties(&mut self) {
        let parties = &self.item.party;
        self.codes("party", parties.iter().map(|party| &party.code));
        for (place, party) in parties.iter().enumerate() {
            self.names(&party.names, &Place::of("party").element(place));
        }
        let of = |chosen: &dyn Fn(usize) -> bool| (0..parties.len()).filter(|at| chosen(*at)).collect::<Vec<_>>();
        let openers = of(&|at| parties[at].opens);
        let applicants = of(&|at| parties[at].applicant);
        for (kind, chosen) in [(FaultKind::Opener, openers), (FaultKind::Applicant, applicants)] {
            let one = matches!(chosen[..], [only] if !parties[only].optional);
            let last = chosen.last().map_or(Place::of("party"), |at| Place::of("party").element(*at));
            let name = chosen.last().map(|at| parties[*at].code.to_string()).unwrap_or_default();
            self.require(one, kind, last, name);
        }
    }

    fn roles(&mut self) {
        let roles = &self.item.bureau;
        self.codes("bureau", roles.iter().map(|bureau| &bureau.code));
        for (place, bureau) in roles.iter().enumerate() {
            let at = Place::of("bureau").element(place);
            self.names(&bureau.names, &at);
            let acts = self.item.step.iter().any(|step| step.by == bureau.code)
                || self.item.read.iter().any(|read| read.from == bureau.code);
            self.require(acts, FaultKind::Unused, at.member("code"), &bureau.code);
        }
    }

    fn asks(&mut self) {
        let asks = &self.item.ask;
        self.codes("ask", asks.iter().map(|ask| &ask.code));
        for (place, ask) in asks.iter().enumerate() {
            let at = Place::of("ask").element(place);
            self.sent(&ask.of, &ask.to, &at);
            self.require(!ask.types.is_empty(), FaultKind::Empty, at.member("types"), "types");
            self.require(!ask.claims.is_empty(), FaultKind::Empty, at.member("claims"), "claims");
            self.claims(ask.claims.iter().map(|claim| claim.as_str()), &at.member("claims"));
            self.words(&ask.why, at.member("why"));
        }
    }

    fn fields(&mut self) {
        let (fields, attachments) = (&self.item.field, &self.item.attachment);
        self.codes("field", fields.iter().map(|field| &field.code));
        for (place, field) in fields.iter().enumerate() {
            let at = Place::of("field").element(place);
            self.names(&field.names, &at);
            self.sent(&field.of, &field.to, &at);
            let choices = (field.kind == FieldKind::Choice) != field.choices.is_empty();
            self.require(choices, FaultKind::Choices, at.member("choices"), &field.code);
        }
        self.codes("attachment", attachments.iter().map(|attachment| &attachment.code));
        for (place, attachment) in attachments.iter().enumerate() {
            let at = Place::of("attachment").element(place);
            self.names(&attachment.names, &at);
            self.sent(&attachment.of, &attachment.to, &at);
            let size = (1..=ATTACHMENT_BYTES_MAX).contains(&attachment.bytes_max);
            self.require(size, FaultKind::Range, at.member("bytes_max"), attachment.bytes_max);
        }
    }

    fn reads(&mut self) {
        let reads = &self.item.read;
        self.codes("read", reads.iter().map(|read| &read.code));
        for (place, read) in reads.iter().enumerate() {
            let at = Place::of("read").element(place);
            self.party(&read.of, at.member("of"));
            self.role(&read.by, at.member("by"));
            self.role(&read.from, at.member("from"));
            self.require(read.by != read.from, FaultKind::OwnRead, at.member("from"), &read.from);
            self.require(!read.claims.is_empty(), FaultKind::Empty, at.member("claims"), "claims");
            self.claims(read.claims.iter().map(|claim| claim.as_str()), &at.member("claims"));
            self.words(&read.why, at.member("why"));
        }
    }

    fn steps(&mut self) {
        let steps = &self.item.step;
        self.codes("step", steps.iter().map(|step| &step.code));
        for (place, step) in steps.iter().enumerate() {
            let at = Place::of("step").element(place);
            self.names(&step.names, &at);
            self.role(&step.by, at.member("by"));
            self.list(step.needs.iter(), &at.member("needs"), |check, code, at| {
                let known = check.item.step.iter().any(|step| step.code == *code);
                check.require(known, FaultKind::Unknown, at, code);
            });
            self.list(step.waits_for.iter(), &at.member("waits_for"), Self::party);
            self.list(step.rules.iter(), &at.member("rules"), |check, code, at| {
                let known = check.item.rule.iter().any(|rule| rule.code == *code);
                check.require(known, FaultKind::Unknown, at, code);
            });
            self.require(!step.auto || !step.rules.is_empty(), FaultKind::NoRules, at.member("auto"), &step.code);
            let limit = (1..=STEP_LIMIT_DAYS_MAX).contains(&step.limit_days);
            self.require(limit, FaultKind::Range, at.member("limit_days"), step.limit_days);
            for name in step.passes.keys() {
                self.require(is_part_name(name), FaultKind::Name, at.member("passes").member(name), name);
            }
        }
    }

    fn rules(&mut self) {
        let rules = &self.item.rule;
        self.codes("rule", rules.iter().map(|rule| &rule.code));
        for (place, rule) in rules.iter().enumerate() {
            let at = Place::of("rule").element(place);
            self.words(&rule.say, at.member("say"));
            let used = self.item.step.iter().any(|step| step.rules.contains(&rule.code));
            self.require(used, FaultKind::Unused, at.member("code"), &rule.code);
        }
    }

    fn yields(&mut self) {
        let yields = &self.item.yields;
        self.codes("yield", yields.iter().map(|given| &given.code));
        for (place, given) in yields.iter().enumerate() {
            let at = Place::of("yield").element(place);
            self.party(&given.to, at.member("to"));
            let known = self.item.step.iter().any(|step| step.code == given.step);
            self.require(known, FaultKind::Unknown, at.member("step"), &given.step);
            self.require(!given.claims.is_empty(), FaultKind::Empty, at.member("claims"), "claims");
            if let Some(claim) = &given.account {
                self.require(given.claims.contains_key(claim), FaultKind::Unknown, at.member("account"), claim);
            }
        }
    }

    fn samples(&mut self) {
        for (place, sample) in self.item.sample.iter().enumerate() {
            let at = Place::of("sample").element(place);
            let step = self.item.step.iter().find(|step| step.code == sample.step);
            self.require(step.is_some(), FaultKind::Unknown, at.member("step"), &sample.step);
            if let (Some(step), Some(rule)) = (step, &sample.rule) {
                self.require(step.rules.contains(rule), FaultKind::Unknown, at.member("rule"), rule);
            }
            for code in sample.yields.keys() {
                let known = self.item.yields.iter().any(|given| given.code == *code && given.step == sample.step);
                self.require(known, FaultKind::Unknown, at.member("yields").member(code), code);
            }
        }
    }
}
