//! A company, the bureau that issues to it, and the bank that asks it, each with a home of their own.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use kanhe_client::sample::Subject;
use kanhe_proto::codec;
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::response::PATH_BYTES_MAX;
use serde_json::Value;

use crate::network::Network;
use crate::person::{Ended, Person};

/// What is issued.
pub const TYPE: &str = "DEMOYYZZ001";

const FIRST_NUMBER: &str = "370100000000001";

/// The three of them.
#[derive(Debug)]
pub struct Counter {
    /// Holds the licences.
    pub company: Person,
    /// Issues them.
    pub desk: Person,
    /// Asks for them.
    pub bank: Person,
    issuer: Uscc,
    request_key: PathBuf,
    count: Cell<u64>,
}

/// A licence in the company's wallet.
#[derive(Debug, Clone)]
pub struct Licence {
    /// Its name there.
    pub name: String,
    /// Its batch.
    pub batch: LogIndex,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Counter {
    /// The first bureau issues; all three ask one node.
    pub fn open(network: &Network, node: usize) -> Self {
        let (api, bank) = (network.api(node), &network.description.bank);
        let counter = Self {
            company: Person::new(api),
            desk: Person::at_desk(api, &network.bureau(0).passphrase_file),
            bank: Person::at_desk(api, &bank.passphrase_file),
            issuer: network.bureau(0).uscc,
            request_key: bank.request_key.clone(),
            count: Cell::new(0),
        };
        [&counter.company, &counter.desk, &counter.bank].into_iter().for_each(|person| person.pin(network));
        counter.company.ok(&["wallet", "init"]);
        counter
    }

    fn next(&self) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    /// Applies, and makes the row of a sheet for it: the name of the sheet, and the holder's code.
    pub fn apply(&self) -> (String, String) {
        let number = self.next();
        let (application, sheet) = (format!("{number}.application"), format!("{number}.csv"));
        let (issuer, seed) = (self.issuer.to_string(), number.to_string());
        self.company.ok(&["wallet", "apply", "--type", TYPE, "--issuer", &issuer, "--out", &application]);
        self.company.give(&application, &self.desk);
        let sample = ["sample", "--type", "business-licence", "--count", "1", "--seed", &seed];
        self.desk.ok(&[&sample[..], &["--applications", &application, "--out", &sheet]].concat());
        // Every sheet's first row has the first certificate number.
        let rows = fs::read_to_string(self.desk.at(&sheet)).unwrap();
        assert!(rows.contains(FIRST_NUMBER));
        fs::write(self.desk.at(&sheet), rows.replace(FIRST_NUMBER, &format!("370100{number:09}"))).unwrap();
        (sheet, Subject::BusinessLicence.rows(number, 1).remove(0).remove(2))
    }

    /// Tries to issue the rows of a sheet.
    pub fn issue_sheet(&self, sheet: &str, key: &Path) -> Ended {
        let issuer = self.issuer.to_string();
        let out = format!("{sheet}.issued");
        self.desk.run(&["licence", "issue", sheet, "--type", TYPE, "--key", text(key), "--as", &issuer, "--out", &out])
    }

    /// One licence, from the application to the wallet.
    pub fn issue(&self, key: &Path) -> Licence {
        let (sheet, code) = self.apply();
        let issued = self.issue_sheet(&sheet, key);
        assert_eq!(issued.code, 0, "{issued:?}");
        let delivery = format!("{sheet}.json");
        self.desk.ok(&["licence", "show", &code, "--delivery", &delivery]);
        self.desk.give(&delivery, &self.company);
        let taken = self.company.ok(&["wallet", "import", &delivery]).json();
        let name = taken[0]["id"].as_str().unwrap().to_owned();
        let delivered: Value = serde_json::from_slice(&fs::read(self.company.at(&delivery)).unwrap()).unwrap();
        let path = BASE64URL_NOPAD.decode(delivered["path"].as_str().unwrap().as_bytes()).unwrap();
        let path: LicencePath = codec::decode(&path, PATH_BYTES_MAX).unwrap();
        Licence { name, batch: path.batch }
    }

    /// The bank asks and the company answers with the evidence that it has; gives the answer's name.
    pub fn present(&self, licence: &Licence) -> String {
        let name = format!("{}-{}", licence.name, self.next());
        let (request, response) = (format!("{name}.request"), format!("{name}.response"));
        let ask = ["verify", "request", "--type", TYPE, "--claims", "CZZT", "--purpose", "loan", "--max-age", "24h"];
        self.bank.ok(&[&ask[..], &["--key", text(&self.request_key), "--out", &request]].concat());
        self.bank.give(&request, &self.company);
        self.company.ok(&["wallet", "present", &request, "--licence", &licence.name, "--out", &response]);
        self.company.give(&response, &self.bank);
        name
    }

    /// The bank judges an answer.
    pub fn check(&self, name: &str, more: &[&str]) -> Ended {
        let (request, response) = (format!("{name}.request"), format!("{name}.response"));
        self.bank.run(&[&["verify", "check", &response, "--request", &request][..], more].concat())
    }

    /// Judges a licence by evidence that is fetched now; exit code and all that was said.
    pub fn judge(&self, licence: &Licence) -> (i32, String) {
        self.company.ok(&["wallet", "refresh"]);
        let ended = self.check(&self.present(licence), &[]);
        (ended.code, ended.data)
    }

    /// That a licence is valid by evidence that is fetched now.
    pub fn assert_valid(&self, licence: &Licence) {
        let judged = self.judge(licence);
        assert_eq!(judged.0, 0, "{judged:?}");
    }
}
