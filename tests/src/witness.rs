//! A licence that was issued, presented and verified before something goes wrong, for the verdict afterwards.

use kanhe_client::sample::Subject;
use serde_json::Value;

use crate::network::Network;
use crate::person::{Ended, Person};

const TYPE: &str = "DEMOYYZZ001";
/// Evidence of the beginning must do until a test's end.
const MAX_AGE: &str = "1h";

/// A company with a licence, the bureau that issued it, and a bank that was shown it.
#[derive(Debug)]
pub struct Witness {
    company: Person,
    bureau: Person,
    bank: Person,
    key: String,
    code: String,
}

impl Witness {
    /// Issues a licence of the first bureau through a node, presents it, and sees that it is valid.
    pub fn of(network: &Network, node: usize) -> Self {
        let (url, office, bank) = (network.api(node), network.bureau(0), &network.description.bank);
        let company = Person::new(url);
        let bureau = Person::at_desk(url, &office.passphrase_file);
        let bank_desk = Person::at_desk(url, &bank.passphrase_file);
        [&company, &bureau, &bank_desk].into_iter().for_each(|person| person.pin(network));
        let (issuer, key) = (office.uscc.to_string(), office.issuing_key.to_str().unwrap().to_owned());
        company.ok(&["wallet", "init"]);
        company.ok(&["wallet", "apply", "--type", TYPE, "--issuer", &issuer, "--count", "1", "--out", "application"]);
        company.give("application", &bureau);
        let sample = ["sample", "--type", "business-licence", "--count", "1", "--applications", "application"];
        bureau.ok(&[&sample[..], &["--out", "rows.csv"]].concat());
        bureau.ok(&["licence", "issue", "rows.csv", "--type", TYPE, "--key", &key, "--out", "issued"]);
        let code = Subject::BusinessLicence.rows(1, 1)[0][2].clone();
        bureau.ok(&["licence", "show", &code, "--delivery", "delivery.json"]);
        bureau.give("delivery.json", &company);
        company.ok(&["wallet", "import", "delivery.json"]);

        let request_key = bank.request_key.to_str().unwrap();
        let ask = ["verify", "request", "--type", TYPE, "--claims", "CZZT", "--purpose", "loan", "--max-age", MAX_AGE];
        bank_desk.ok(&[&ask[..], &["--key", request_key, "--out", "request"]].concat());
        bank_desk.give("request", &company);
        let list = company.ok(&["wallet", "list"]).json();
        let licence = text_of(&list[0]["id"]);
        company.ok(&["wallet", "present", "request", "--licence", &licence, "--out", "response"]);
        company.give("response", &bank_desk);
        let witness = Self { company, bureau, bank: bank_desk, key, code };
        witness.must_be(0, "valid", &["--offline"]);
        witness
    }

    fn must_be(&self, code: i32, outcome: &str, options: &[&str]) {
        let words = ["verify", "check", "response", "--request", "request"];
        let ended: Ended = self.bank.run(&[&words[..], options].concat());
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(text_of(&ended.json()["outcome"]), outcome, "{ended:?}");
    }

    /// What was shown before is still valid by the evidence of then, and after the change of the chain was followed
    /// through this node. Afterwards the licence is revoked, and that is found in time.
    pub fn confirm(&self, network: &Network, node: usize) {
        let url = network.api(node);
        self.must_be(0, "valid", &["--offline"]);
        self.bank.ok(&["trust", "update", "--node", url]);
        self.must_be(0, "valid", &["--offline"]);
        self.company.ok(&["wallet", "refresh", "--node", url]);
        let status = || self.company.ok(&["wallet", "list"]).json()[0]["standing"]["status"].clone();
        assert_eq!(status(), "active");
        self.bureau.ok(&["licence", "revoke", &self.code, "--key", &self.key, "--node", url]);
        self.company.ok(&["wallet", "refresh", "--node", url]);
        assert_eq!(status(), "revoked");
    }

    /// The bank's follower: what changed since genesis, as it tells it.
    pub fn changes(&self, network: &Network, node: usize) -> Value {
        self.bank.ok(&["trust", "update", "--node", network.api(node)]).json()
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
