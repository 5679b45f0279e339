//! Rows and the applications that they answer.

use std::collections::BTreeMap;

use kanhe_proto::application::{Application, ApplicationError};
use kanhe_proto::identifiers::LicenceNumber;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::sd_jwt::holder_binding;

use super::{Definition, Office, Register};
use crate::parallel;
use crate::sheet::{APPLICATION, Fault, Report, Row};
use crate::talk::Failure;

/// A row that can be issued.
#[derive(Debug)]
pub struct Prepared {
    /// The row.
    pub row: Row,
    /// The number that it has already; otherwise it gets a new one.
    pub number: Option<LicenceNumber>,
    /// The licence that it takes the place of.
    pub replaces: Option<LicenceNumber>,
    /// One key for each copy.
    pub keys: Vec<PublicKey>,
    /// `kanhe_hb`, for a natural person.
    pub binding: Option<String>,
}

impl Prepared {
    /// Names the application.
    pub fn application(&self) -> KeyId {
        self.keys[0].id()
    }
}

/// The good rows of a file.
#[derive(Debug, Default)]
pub struct Rows {
    /// Those whose holder applied.
    pub bound: Vec<Prepared>,
    /// Those that await pickup.
    pub awaiting: Vec<Row>,
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        self.bound.len() + self.awaiting.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Judges the application of each good row as of a moment; what is wrong is added to the report. Without a register,
/// what it knows is not asked for.
pub fn prepare(
    office: &Office,
    definition: &Definition,
    report: &mut Report,
    register: Option<&Register>,
    as_of: TimeMs,
) -> Result<Rows, Failure> {
    let (mut rows, mut faults) = (Rows::default(), Vec::new());
    let mut seen: BTreeMap<KeyId, u32> = BTreeMap::new();
    let good = std::mem::take(&mut report.good);
    // Two signatures a row at the least: on all cores.
    let proved =
        parallel::map(&good, |row| row.application.as_ref().map(|text| prove(office, definition, row, text, as_of)));
    for (row, proved) in good.into_iter().zip(proved) {
        let line = row.line;
        let one = match proved {
            None => {
                rows.awaiting.push(row);
                continue;
            }
            Some(Ok(proved)) => proved.of(row),
            Some(Err(fault)) => {
                faults.push((line, fault));
                continue;
            }
        };
        // Other text of an application by the same key would bind two licences to one key.
        let other = one.keys.iter().find_map(|key| seen.get(&key.id()).copied());
        let answered = match register {
            Some(register) => register.of_application(&one.application())?.is_some(),
            None => false,
        };
        match (other, answered) {
            (Some(other), _) => faults.push((line, Fault::DuplicateInFile(other))),
            (None, true) => faults.push((line, Fault::InRegister)),
            (None, false) => {
                seen.extend(one.keys.iter().map(|key| (key.id(), line)));
                rows.bound.push(one);
            }
        }
    }
    for (line, fault) in faults {
        report.refuse(line, APPLICATION, fault);
    }
    Ok(rows)
}

/// What an application proves for a row.
struct Proved {
    keys: Vec<PublicKey>,
    binding: Option<String>,
}

impl Proved {
    fn of(self, row: Row) -> Prepared {
        Prepared { row, number: None, replaces: None, keys: self.keys, binding: self.binding }
    }
}

/// Binds a row to the keys of an application.
pub(super) fn bind(
    office: &Office,
    definition: &Definition,
    row: Row,
    application: &str,
    as_of: TimeMs,
) -> Result<Prepared, Fault> {
    prove(office, definition, &row, application, as_of).map(|proved| proved.of(row))
}

fn prove(
    office: &Office,
    definition: &Definition,
    row: &Row,
    application: &str,
    as_of: TimeMs,
) -> Result<Proved, Fault> {
    let wrong = |error: ApplicationError| Fault::Application(error.to_string());
    let application = Application::verify(application, &office.chain.chain_id, &office.issuer, as_of).map_err(wrong)?;
    if application.vct != definition.vct() {
        return Err(Fault::Application(format!("{} ≠ {}", application.vct, definition.vct())));
    }
    let binding = binding(office, definition, row, &application).map_err(wrong)?;
    Ok(Proved { keys: application.keys.into_vec(), binding })
}

/// `kanhe_hb` of a natural person, from the secret in the application.
pub(super) fn binding(
    office: &Office,
    definition: &Definition,
    row: &Row,
    application: &Application,
) -> Result<Option<String>, ApplicationError> {
    match definition.person(&row.claims) {
        Some((id_type, number)) if definition.is_of_persons() => {
            let secret = office.open_secret(application)?;
            Ok(Some(holder_binding(&secret, id_type, number)))
        }
        _ => Ok(None),
    }
}
