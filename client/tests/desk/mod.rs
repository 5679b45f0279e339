//! What a desk makes of presentations: real licences and evidence, shown to the right and the wrong one.

mod late;
mod letters;
mod scale;
pub(crate) mod work;

use kanhe_client::desk::{Judged, Shown, request_of, shown};
use kanhe_client::item::ItemSource;
use kanhe_proto::bounded::Blob;
use kanhe_proto::case::case_nonce;
use kanhe_proto::codec;
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::{Day, Did, Uscc};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::Item;
use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::response::{Response, Stapled};
use kanhe_proto::sd_jwt::{self, Holding, KeyBinding};
use kanhe_proto::status::Status;
use kanhe_proto::trust::Trust;
use serde_json::json;

use crate::support::chain::{BANK_FIRST, Chain, now};

const ITEM: &str = r#"
format = 1
code = "seal-filing"
version = 1
region = "370100"
names = { zh = "印章备案", en = "Seal filing" }
about = { zh = "印章备案。", en = "Files a seal." }
purpose = "account"
life_days = 30

[[party]]
code = "company"
names = { zh = "企业", en = "Company" }
kind = "enterprise"
opens = true
applicant = true

[[bureau]]
code = "police"
names = { zh = "公安", en = "Police" }

[[bureau]]
code = "tax"
names = { zh = "税务", en = "Tax" }

[[ask]]
code = "licence"
of = "company"
to = ["police", "tax"]
types = ["demo-biz:1"]
claims = ["ZZMC"]
why = { zh = "身份。", en = "Who." }

[[step]]
code = "filing"
names = { zh = "备案", en = "Filing" }
by = "police"
waits_for = ["company"]
limit_days = 1

[[step]]
code = "tax"
names = { zh = "税务", en = "Tax" }
by = "tax"
needs = ["filing"]
waits_for = ["company"]
limit_days = 1
final = true
"#;

const CASE: CaseId = CaseId([7; 32]);

struct Scene {
    chain: Chain,
    item: Item,
    trust: Trust,
    holder: SecretKey,
    licence: Holding,
    sd_jwt: String,
    path: Vec<u8>,
}

/// For whom something is shown.
#[derive(Clone)]
struct Aim {
    case: CaseId,
    slot: u8,
    round: u32,
    place: u8,
    bureau: Uscc,
    made: TimeMs,
}

impl Scene {
    fn new() -> Self {
        let mut chain = Chain::new(90);
        let holder = SecretKey::from_seed([77; 32]);
        let handed = chain.issue("demo-biz", &[holder.public_key()], None).remove(0);
        let mut trust = Trust::pin(&chain.genesis, now()).unwrap();
        let newest = chain.certified();
        trust.accept(&newest, now()).unwrap();
        let item = ItemSource::of(ITEM.to_owned()).unwrap();
        assert_eq!(item.mistakes(), []);
        let licence = Holding::open(&handed.sd_jwt).unwrap();
        Self { chain, item: item.item, trust, holder, licence, sd_jwt: handed.sd_jwt, path: handed.path }
    }

    fn aim(&self) -> Aim {
        Aim { case: CASE, slot: 0, round: 2, place: 0, bureau: self.chain.issuer, made: now() }
    }

    fn did(&self, bureau: Uscc) -> Did {
        Did::new(self.trust.chain_ref(), bureau)
    }

    /// A presentation as a wallet makes it, for this aim.
    fn present(&mut self, aim: &Aim) -> Vec<u8> {
        let presentation = self.licence.present(&[sd_jwt::ClaimPath::name("ZZMC")]).unwrap();
        let set = sd_jwt::set(&[presentation.sd_hash()]);
        let binding = KeyBinding {
            issued_at: aim.made,
            audience: self.did(aim.bureau).to_string(),
            nonce: case_nonce(&aim.case, aim.slot, aim.round, aim.place),
            set: Some(set),
        };
        let text = presentation.bind(&binding, &self.holder).unwrap();
        let path: LicencePath = codec::decode(&self.path, 4_096).unwrap();
        let digest = sd_jwt::UnverifiedSdJwt::parse(&self.sd_jwt).unwrap().digest();
        let evidence = self.chain.evidence(path.batch, &digest).unwrap().evidence;
        let path = Blob::new(self.path.clone()).unwrap();
        let evidence = Blob::new(evidence.to_vec()).unwrap();
        Response {
            vp_token: [("licence".to_owned(), vec![text])].into(),
            evidence: [("licence".to_owned(), Stapled { evidence, path })].into(),
        }
        .to_bytes()
    }

    /// As the police judges it, in this case, slot and round.
    fn judge(&self, presentation: &[u8], presented: TimeMs) -> Judged {
        let bureau = self.did(self.chain.issuer);
        let (item, party) = (&self.item, &self.item.party[0]);
        let asked = Shown { item, case: &CASE, bureau: &bureau, place: 0, party, slot: 0, round: 2, presented };
        assert!(request_of(&asked, &[]).is_some());
        shown(&asked, presentation, &Default::default(), &self.trust, now())
    }
}

#[test]
fn what_was_shown_for_this_case_is_taken_as_of_its_block() {
    let mut scene = Scene::new();
    let aim = scene.aim();
    // Evidence from after the block of the act, as a desk fetches it.
    let presented = aim.made;
    std::thread::sleep(std::time::Duration::from_millis(5));
    let presentation = scene.present(&aim);
    let judged = scene.judge(&presentation, presented);
    assert_eq!(judged.faults, []);
    assert_eq!(judged.given["licence"], json!({ "ZZMC": "济南泉城软件有限公司" }));
    let evidence = &judged.evidence["licence"];
    assert_eq!(evidence["issuer"], scene.chain.issuer.to_string());
    assert_eq!(
        (&evidence["type"], &evidence["version"], &evidence["status"]),
        (&json!("demo-biz"), &json!(1), &json!("active"))
    );
    assert_eq!(evidence["as_of"], Day::of(presented).to_string());
    assert_eq!(evidence["issued"], Day::of(now()).to_string());
    // A wallet may have been without a node for weeks.
    let old = Aim { made: TimeMs(now().0 - 20 * 86_400_000), ..aim };
    let presentation = scene.present(&old);
    assert_eq!(scene.judge(&presentation, presented).faults, []);
}

#[test]
fn what_was_shown_elsewhere_is_worth_nothing_here() {
    let mut scene = Scene::new();
    let aim = scene.aim();
    let bank = Uscc::with_check(BANK_FIRST).unwrap();
    let wrong = [
        Aim { case: CaseId([8; 32]), ..aim.clone() },
        Aim { slot: 1, ..aim.clone() },
        Aim { round: 1, ..aim.clone() },
        Aim { place: 1, ..aim.clone() },
        Aim { bureau: bank, ..aim.clone() },
        Aim { made: TimeMs(now().0 - 40 * 86_400_000), ..aim.clone() },
    ];
    for wrong in wrong {
        let presentation = scene.present(&wrong);
        std::thread::sleep(std::time::Duration::from_millis(2));
        let judged = scene.judge(&presentation, aim.made);
        assert_eq!(judged.faults.len(), 1);
        assert_eq!(judged.faults[0].code, "presentation_not_valid");
        assert!(judged.given.is_empty() && judged.evidence.is_empty());
    }
    for (presentation, code) in [
        (b"{".to_vec(), "presentation_malformed"),
        (Vec::new(), "presentation_not_valid"),
        (vec![b'['; 2 << 20], "presentation_malformed"),
    ] {
        assert_eq!(scene.judge(&presentation, aim.made).faults[0].code, code);
    }
}

#[test]
fn a_licence_that_was_revoked_before_is_not_given() {
    let mut scene = Scene::new();
    let digest = sd_jwt::UnverifiedSdJwt::parse(&scene.sd_jwt).unwrap().digest();
    scene.chain.set_status(&digest, Status::Revoked);
    std::thread::sleep(std::time::Duration::from_millis(5));
    let aim = scene.aim();
    let presentation = scene.present(&aim);
    let judged = scene.judge(&presentation, aim.made);
    assert!(judged.given.is_empty());
    assert_eq!(judged.verdicts[0].outcome, kanhe_proto::verdict::Outcome::Revoked);
}
