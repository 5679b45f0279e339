//! Delegates in cases: let through within their limits, refused with a stable code beyond them.

use kanhe_client::desk::{Brought, Place, judge};
use kanhe_client::item::ItemSource;
use kanhe_proto::account::{
    AccountAct, By, Change, EnterpriseAccount, Grant, Mandate, MandateBody, MandateError, Opening,
};
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::{Act, How, Outcome};
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::TypeVersion;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::Item;
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::trust::Trust;
use serde_json::{Map, Value, json};

use super::{COMPANY, RUN, key, office, opened, uscc};
use crate::case::{ITEM, Lease};
use crate::support::chain::{Chain, now};

const CASE: CaseId = CaseId([7; 32]);
const DAY: u64 = 86_400_000;

/// The lease's item, whose first step is for those who act for the company.
fn item() -> String {
    let holds = format!("cents(form.rent) > 0 && mandate.owner.uscc == \"{COMPANY}\"");
    ITEM.replacen("cents(form.rent) > 0", &holds.replace('"', "'"), 1)
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// An account with a delegate, and the mandate of that delegate.
struct Bench {
    chain: Chain,
    trust: Trust,
    item: Item,
    presented: TimeMs,
}

impl Bench {
    fn new() -> Self {
        let mut chain = Chain::new(60);
        let by = By::Bureau { bureau: chain.issuer, key: chain.issuing.public_key().id() };
        let opening = Opening {
            type_code: "demo-biz".parse().unwrap(),
            type_version: TypeVersion(1),
            keys: List::new(vec![secret(1).public_key()]).unwrap(),
        };
        let issuing = chain.issuing.clone();
        act(&mut chain, by, 0, Change::Open(opening), &issuing);
        let mut bench = Self {
            trust: Trust::pin(&chain.genesis, now()).unwrap(),
            item: ItemSource::of(ITEM.to_owned()).unwrap().item,
            presented: now(),
            chain,
        };
        bench.own(Change::SetDelegate(grant()));
        std::thread::sleep(std::time::Duration::from_millis(3));
        bench
    }
    fn own(&mut self, change: Change) {
        let sequence = self.account().sequence;
        act(&mut self.chain, By::Own(secret(1).public_key().id()), sequence, change, &secret(1));
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    fn account(&self) -> EnterpriseAccount {
        self.chain.account(&uscc()).unwrap()
    }
    fn body(&self, seed: u8) -> MandateBody {
        let item = Text::new("shop-lease").unwrap();
        MandateBody { version: 1, case: CASE, slot: 0, item, account: uscc(), key: secret(seed).public_key() }
    }
    /// The mandate of a key, as of now; the act that shows it comes after.
    fn mandate(&mut self, seed: u8) -> Mandate {
        let (certified, leaf) = self.chain.account_proof(&uscc());
        let signed = self.body(seed).sign(&self.chain.genesis.chain(), &secret(seed), certified, leaf).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3));
        self.presented = now();
        signed
    }
    fn brought(&self, mandate: Mandate) -> Brought {
        Brought { mandate: Ok(Box::new(mandate)), account: Some(self.account()), cases_before: 0 }
    }
    fn refusal(&self, brought: &Brought, rent: &str) -> Option<&'static str> {
        self.refusal_at(brought, rent, 0, self.presented)
    }
    fn refusal_at(&self, brought: &Brought, rent: &str, slot: u8, presented: TimeMs) -> Option<&'static str> {
        let chain = self.chain.genesis.chain();
        let (item, party) = (&self.item, &self.item.party[0]);
        let place = Place { chain: &chain, case: &CASE, slot, item, party, presented };
        let form: Map<String, Value> = [("rent".to_owned(), json!(rent))].into_iter().collect();
        let judged = judge(&place, brought, &form, &self.trust, TimeMs(now().0 + 1_000));
        let told = judged.refused;
        assert_eq!(judged.seen.get("refused").and_then(Value::as_str), told);
        assert_eq!(judged.seen.contains_key("uscc"), told.is_none());
        told
    }
}

fn act(chain: &mut Chain, by: By, sequence: u32, change: Change, key: &SecretKey) {
    let act = AccountAct { uscc: uscc(), sequence, by, change }.sign(&chain.genesis.chain(), key).unwrap();
    let acts = List::new(vec![act]).unwrap();
    chain.account_acts(&kanhe_proto::account::AccountPayload { acts }.to_bytes()).unwrap();
}

fn grant() -> Grant {
    Grant {
        key: secret(2).public_key(),
        items: List::new(vec![Text::new("shop-lease").unwrap()]).unwrap(),
        amount_max: Some(200_000),
        cases_max: Some(2),
        not_after: TimeMs(now().0 + DAY),
    }
}

#[test]
fn a_delegate_within_its_limits_is_let_through() {
    let mut bench = Bench::new();
    let mandate = bench.mandate(2);
    let mut brought = bench.brought(mandate);
    brought.cases_before = 1;
    assert_eq!(bench.refusal(&brought, "2000.00"), None);
    // The enterprise's own key needs no limits.
    let mandate = bench.mandate(1);
    let own = Brought { cases_before: 99, ..bench.brought(mandate) };
    assert_eq!(bench.refusal(&own, "9999999.00"), None);
}

#[test]
fn beyond_limits_for_another_item_late_or_revoked_it_is_refused() {
    let mut bench = Bench::new();
    let mandate = bench.mandate(2);
    let brought = bench.brought(mandate);
    assert_eq!(bench.refusal(&brought, "2000.01"), Some("delegate_limit"));
    let often = Brought { cases_before: 2, ..brought.clone() };
    assert_eq!(bench.refusal(&often, "1.00"), Some("delegate_limit"));
    let late = bench.refusal_at(&brought, "1.00", 0, TimeMs(now().0 + 2 * DAY));
    assert_eq!(late, Some("delegate_expired"));
    let mandate = bench.mandate(9);
    assert_eq!(bench.refusal(&bench.brought(mandate), "1.00"), Some("delegate_unknown"));

    // Revoked after the act's block: it stands. Before it: the mandate's own, older proof does not help.
    let older = bench.mandate(2);
    let before = bench.presented;
    // Times are in milliseconds: revoked in the same one is revoked.
    std::thread::sleep(std::time::Duration::from_millis(2));
    bench.own(Change::RevokeDelegate(secret(2).public_key().id()));
    let brought = bench.brought(older);
    assert_eq!(bench.refusal_at(&brought, "1.00", 0, before), None);
    assert_eq!(bench.refusal_at(&brought, "1.00", 0, now()), Some("delegate_revoked"));

    // For another item, and narrowed meanwhile.
    let items = List::new(vec![Text::new("annual-report").unwrap()]).unwrap();
    bench.own(Change::SetDelegate(Grant { items, ..grant() }));
    let brought = Brought { account: Some(bench.account()), ..brought };
    assert_eq!(bench.refusal_at(&brought, "1.00", 0, now()), Some("delegate_item"));
    bench.own(Change::Close);
    let brought = Brought { account: Some(bench.account()), ..brought };
    assert_eq!(bench.refusal_at(&brought, "1.00", 0, now()), Some("account_closed"));
    let gone = Brought { account: None, ..brought };
    assert_eq!(bench.refusal_at(&gone, "1.00", 0, before), Some("account_unknown"));
}

#[test]
fn a_mandate_of_another_place_or_hand_is_none() {
    let mut bench = Bench::new();
    let mandate = bench.mandate(2);
    let brought = bench.brought(mandate.clone());
    assert_eq!(bench.refusal_at(&brought, "1.00", 1, bench.presented), Some("mandate_other"));
    let changed = |edit: &dyn Fn(&mut Mandate)| {
        let mut mandate = mandate.clone();
        edit(&mut mandate);
        bench.refusal(&bench.brought(mandate), "1.00")
    };
    assert_eq!(changed(&|mandate| mandate.body.case = CaseId([8; 32])), Some("mandate_other"));
    assert_eq!(changed(&|mandate| mandate.body.item = Text::new("other").unwrap()), Some("mandate_other"));
    assert_eq!(changed(&|mandate| mandate.body.key = secret(1).public_key()), Some("mandate_signature"));
    assert_eq!(changed(&|mandate| mandate.certified.header.state_root.0[0] ^= 1), Some("mandate_proof"));
    // Under a header that nobody certified.
    let mut other = Chain::new(61);
    let (header, _) = other.account_proof(&uscc());
    let forged = |mandate: &mut Mandate| mandate.certified.certificate = header.certificate.clone();
    assert_eq!(changed(&forged), Some("mandate_proof"));
    // Shown before the header that proves it was there.
    assert_eq!(bench.refusal_at(&brought, "1.00", 0, TimeMs(bench.presented.0 - DAY)), Some("mandate_proof"));
    let none = Brought { mandate: Err(MandateError::Version(9)), ..brought.clone() };
    assert_eq!(bench.refusal(&none, "1.00"), Some("mandate_malformed"));
    // A person acts for no enterprise.
    let chain = bench.chain.genesis.chain();
    let (item, party) = (&bench.item, &bench.item.party[1]);
    let place = Place { chain: &chain, case: &CASE, slot: 0, item, party, presented: bench.presented };
    let judged = judge(&place, &brought, &Map::new(), &bench.trust, TimeMs(now().0 + 1_000));
    assert_eq!(judged.refused, Some("mandate_not_asked"));
}

fn levies(lease: &Lease, id: &str) -> Vec<(Outcome, bool, Option<String>)> {
    let acts = lease.chain().acts_of(id);
    let of_levy = acts.iter().filter_map(|signed| match &signed.act {
        Act::Decide(decide) if decide.step == 0 => {
            Some((decide.outcome, decide.how == How::Rules, decide.reason.as_ref().map(ToString::to_string)))
        }
        _ => None,
    });
    of_levy.collect()
}

/// By the commands of everybody: the holder's wallet has the licence and a delegate's key; the account is the tenant's.
#[test]
fn a_delegate_opens_cases_and_the_desk_counts_them() {
    let lease = Lease::with(195, &item());
    let office = office(&lease, 195);
    let (owner, delegate) = (&lease.tenant, &lease.scene.holder);
    let (public, _) = key(owner);
    office.ok(&["account", "open", COMPANY, &public, "--type", "demo-biz:1", "--key", "issuing.key"]);
    let (acting, acting_id) = key(delegate);
    let open = |rent: &str| {
        let field = format!("rent={rent}");
        let words = ["case", "open", "shop-lease", "--for", COMPANY, "--field", &field];
        delegate.run(&[&words[..], &["--attach", "contract=contract.pdf", "--yes"]].concat())
    };
    assert_eq!(open("1.00").error(), "delegate_unknown");
    let add = |item: &str, cases: &str| {
        let words = ["account", "delegate", "add", COMPANY, &acting, "--item", item, "--until", "2028-01-31"];
        owner.ok(&[&words[..], &["--amount", "2000.00", "--cases", cases]].concat());
    };
    add("annual-report", "1");
    assert_eq!(open("1.00").error(), "delegate_item");
    add("shop-lease", "1");
    // What every bureau would refuse does not leave.
    let beyond = open("2000.01");
    assert_eq!((beyond.code, beyond.error()), (4, "delegate_limit".to_owned()));

    let first = open("1200.50").json()["id"].as_str().unwrap().to_owned();
    office.ok(&RUN);
    assert_eq!(levies(&lease, &first), [(Outcome::Approved, true, None)]);
    // The chain does not learn for whom it is.
    let bytes = lease.chain().file_bytes();
    assert!(!bytes.windows(COMPANY.len()).any(|window| window == COMPANY.as_bytes()));

    // In how many cases it acted only the desk knows.
    let second = open("1200.50").json()["id"].as_str().unwrap().to_owned();
    office.ok(&RUN);
    assert_eq!(levies(&lease, &second), [(Outcome::Returned, true, Some("delegate_limit".to_owned()))]);
    let shown = delegate.ok(&["case", "show", &second[..8]]).json();
    assert!(shown.to_string().contains("delegate_limit"), "{shown}");
    // The enterprise lets it act once more.
    add("shop-lease", "2");
    delegate.ok(&["case", "correct", &second[..8], "--yes"]);
    office.ok(&RUN);
    assert_eq!(levies(&lease, &second).last(), Some(&(Outcome::Approved, true, None)));

    owner.ok(&["account", "delegate", "revoke", COMPANY, &acting_id]);
    assert_eq!(open("1.00").error(), "delegate_revoked");
    // Without a mandate the rule cannot be evaluated: an officer decides.
    let third = lease.open()["id"].as_str().unwrap().to_owned();
    office.ok(&RUN);
    assert_eq!(levies(&lease, &third), []);
}

#[test]
fn only_a_party_that_is_an_enterprise_has_somebody_act_for_it() {
    let lease = Lease::with(200, ITEM);
    let office = office(&lease, 200);
    opened(&lease, &office);
    let code = lease.open()["invitations"][0]["code"].as_str().unwrap().to_owned();
    let refused = lease.tenant.run(&["case", "confirm", &code, "--for", COMPANY, "--yes"]);
    assert_eq!((refused.code, refused.error()), (2, "case_no_enterprise".to_owned()));
}
