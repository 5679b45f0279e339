//! Rows and the applications that they answer.

use std::collections::BTreeMap;

use kanhe_proto::application::{Application, ApplicationError};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::sd_jwt::holder_binding;

use super::{Definition, Office, Register};
use crate::sheet::{APPLICATION, Fault, Report, Row};
use crate::talk::Failure;

/// A row that can be issued.
#[derive(Debug)]
pub struct Prepared {
    /// The row.
    pub row: Row,
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

/// Judges the application of each good row as of a moment; what is wrong is added to the report. Without a register,
/// what it knows is not asked for.
pub fn prepare(
    office: &Office,
    definition: &Definition,
    report: &mut Report,
    register: Option<&Register>,
    as_of: TimeMs,
) -> Result<Vec<Prepared>, Failure> {
    let (mut prepared, mut faults) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<KeyId, u32> = BTreeMap::new();
    for row in std::mem::take(&mut report.good) {
        let line = row.line;
        let one = match one(office, definition, row, as_of) {
            Ok(one) => one,
            Err(fault) => {
                faults.push((line, fault));
                continue;
            }
        };
        // Other text of an application by the same key would bind two licences to one key.
        let other = one.keys.iter().find_map(|key| seen.get(&key.id()).copied());
        let answered = match register {
            Some(register) => register.answered(&one.application())?,
            None => false,
        };
        match (other, answered) {
            (Some(other), _) => faults.push((line, Fault::DuplicateInFile(other))),
            (None, true) => faults.push((line, Fault::InRegister)),
            (None, false) => {
                seen.extend(one.keys.iter().map(|key| (key.id(), line)));
                prepared.push(one);
            }
        }
    }
    for (line, fault) in faults {
        report.refuse(line, APPLICATION, fault);
    }
    Ok(prepared)
}

fn one(office: &Office, definition: &Definition, row: Row, as_of: TimeMs) -> Result<Prepared, Fault> {
    let wrong = |error: ApplicationError| Fault::Application(error.to_string());
    let text = row.application.as_deref().ok_or(Fault::NoApplication)?;
    let application = Application::verify(text, &office.chain.chain_id, &office.issuer, as_of).map_err(wrong)?;
    if application.vct != definition.vct() {
        return Err(Fault::Application(format!("{} ≠ {}", application.vct, definition.vct())));
    }
    let binding = match (definition.person(&row.claims), &office.sealing) {
        (Some((id_type, number)), Some(sealing)) if definition.is_of_persons() => {
            let secret = application.open_secret(sealing).map_err(wrong)?;
            Some(holder_binding(&secret, id_type, number))
        }
        _ => None,
    };
    Ok(Prepared { row, keys: application.keys.into_vec(), binding })
}
