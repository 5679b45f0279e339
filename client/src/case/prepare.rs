//! Making an act with its files: presentations bound to this case, slot, round and bureau, each sealed to its bureau.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::{Act, FileRef, Join, Open, Present, SignedAct, SlotKey, SlotRequest, case_nonce};
use kanhe_proto::case_file::{
    Attachment, Author, BoundFile, CASE_FILE_VERSION, CaseFile, CaseFileError, FilePart, MandateBytes, NamedValue,
};
use kanhe_proto::codec;
use kanhe_proto::identifiers::{ChainRef, Did, Uscc, Vct};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::item::{Ask, Field, Party};
use kanhe_proto::key::{PublicKey, Signer as _};
use kanhe_proto::registry::{HolderKind, KeyRole, LicenceType, Names};
use kanhe_proto::request::Request;
use kanhe_proto::sd_jwt::ClaimPath;
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::vote::ChainContext;

use super::consenting::paper_of;
use super::own::{Disclosed, DisclosedLicence, OwnCase, OwnFile, Pending, Shelf};
use super::parcel::{Parcel, parcels};
use super::read::KnownItem;
use crate::account::{Acting, amount_of};
use crate::clock;
use crate::consent;
use crate::follow::Follower;
use crate::governance::keys;
use crate::issuer::Office;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};
use crate::wallet::{Choice, LicenceRecord, Plan, Standing, Wallet, Wish};

/// How long an opening may wait for its block; the chain allows a day, this leaves room for clocks.
const OPENING_LIFE: SpanMs = SpanMs(12 * 3_600_000);
/// Life of the request that a presentation answers: it stands in the item, so any within the bound does.
const REQUEST_SECONDS: u64 = 600;

/// A bureau that gets a file.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Its name.
    pub names: Names,
    /// Files to it are sealed to this.
    pub sealing_key: PublicKey,
}

/// What is needed besides the case itself.
#[derive(Debug)]
pub struct Maker<'a> {
    /// The wallet.
    pub wallet: &'a Wallet,
    /// The item.
    pub known: &'a KnownItem,
    /// The chain.
    pub chain: ChainContext,
    /// The chain's name in DIDs.
    pub name: ChainRef,
    /// Bureaus that play a role.
    pub recipients: BTreeMap<Uscc, Recipient>,
    /// Whom the types that come of it are for.
    pub holders: BTreeMap<Vct, HolderKind>,
    /// For which enterprise the party acts, with which key.
    pub acting: Option<Acting>,
    /// The counter's bureau, where a clerk acts for somebody.
    pub office: Option<&'a Office>,
}

/// What one bureau will see, before anything is made.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What the item sends it.
    pub parcel: Parcel<'a>,
    /// The licences for it, in the order of its asks; those left out are optional.
    pub choices: Vec<Choice>,
}

impl Seen<'_> {
    /// Whether it gets anything of what is given.
    fn is_empty(&self, own: &OwnCase, known: &KnownItem) -> bool {
        let Parcel { fields, papers, yields, role, .. } = &self.parcel;
        let mut reads = known.item.read.iter().filter(|read| read.by == **role);
        self.choices.is_empty()
            && !reads.any(|read| own.consents.contains_key(&read.code))
            && yields.is_empty()
            && !own.assisted.as_ref().is_some_and(|assisted| assisted.has_source_for(&self.parcel))
            && !fields.iter().any(|field| own.given.fields.contains_key(&field.code))
            && !papers.iter().any(|paper| own.given.papers.contains_key(&paper.code))
    }
}

/// Copies of the licence of an application, those shown least first.
pub fn copies(wallet: &Wallet, application: kanhe_proto::key::KeyId) -> Result<Vec<LicenceRecord>, Failure> {
    let now = clock::now();
    let mut found = Vec::new();
    for record in wallet.licences()? {
        if wallet.key(&record.holding()?.fixed().holder)?.is_some_and(|key| key.application == application) {
            found.push(record);
        }
    }
    let good = |record: &LicenceRecord| Standing::of(record, now).is_ok_and(|standing| standing.is_good());
    found.sort_by_key(|record| (!good(record), record.shown, std::cmp::Reverse(record.taken_ms), record.digest));
    Ok(found)
}

/// A bureau's name and newest sealing key, proved.
pub fn recipient(follower: &mut Follower, bureau: Uscc) -> Result<Recipient, Failure> {
    let none = || Failure::of(ExitCode::Failure, "no_sealing_key", &[("issuer", &bureau)]);
    let fetch = |node: &NodeClient| node.bureau(&bureau);
    let found = follower.registry::<kanhe_proto::registry::Bureau>(&bureau, fetch)?.value.ok_or_else(none)?;
    let listed = keys(follower, &bureau)?;
    let key = listed.lasting(KeyRole::Sealing).next_back().map(|entry| entry.key.clone()).ok_or_else(none)?;
    Ok(Recipient { names: found.names, sealing_key: key })
}

impl<'a> Maker<'a> {
    /// Asks for all that is needed of the chain: bureaus, types, and fresh evidence of what is to be shown.
    pub fn new(
        wallet: &'a Wallet,
        known: &'a KnownItem,
        own: &OwnCase,
        follower: &mut Follower,
    ) -> Result<Self, Failure> {
        let mut recipients = BTreeMap::new();
        let mut holders = BTreeMap::new();
        for parcel in parcels(known, &own.party, &own.chosen)? {
            if let Entry::Vacant(place) = recipients.entry(parcel.bureau) {
                place.insert(recipient(follower, parcel.bureau)?);
            }
            for given in parcel.yields {
                let vct = &given.type_ref.0;
                let id = (vct.code.clone(), vct.version);
                let fetch = |node: &NodeClient| node.licence_type(&vct.code, vct.version);
                let found = follower.registry::<LicenceType>(&id, fetch)?.value;
                let found =
                    found.ok_or_else(|| Failure::of(ExitCode::Usage, "type_unknown", &[("type", &vct.code)]))?;
                holders.insert(vct.clone(), found.holder);
            }
        }
        for application in own.given.licences.values() {
            for record in copies(wallet, *application)? {
                wallet.refresh(&record, follower)?;
            }
        }
        let chain = follower.trust().chain;
        let name = follower.trust().chain_ref();
        let acting = acting(wallet, known, own, follower)?;
        Ok(Self { wallet, known, chain, name, recipients, holders, acting, office: None })
    }
    /// The same at the counter of a bureau.
    pub fn at(self, office: Option<&'a Office>) -> Self {
        Self { office, ..self }
    }

    fn party(&self, own: &OwnCase) -> Result<&Party, Failure> {
        let found = self.known.item.party.iter().find(|party| party.code == own.party);
        let args: &[(&str, &dyn std::fmt::Display)] = &[("party", &own.party), ("known", &"-")];
        found.ok_or_else(|| Failure::of(ExitCode::Usage, "item_party", args))
    }

    /// What each bureau will see. Copies of a licence are used up before one is shown to two bureaus.
    pub fn seen(&self, own: &OwnCase) -> Result<Vec<Seen<'_>>, Failure> {
        let same_holder = self.party(own)?.same_holder;
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        let mut all = Vec::new();
        for parcel in parcels(self.known, &own.party, &own.chosen)? {
            let mut choices = Vec::new();
            for ask in &parcel.asks {
                let Some(application) = own.given.licences.get(&ask.code) else { continue };
                let mut fitting = copies(self.wallet, *application)?;
                fitting.sort_by_key(|record| used.get(&record.digest.to_string()).copied().unwrap_or_default());
                let record = fitting.into_iter().next().ok_or_else(|| missing(ask))?;
                *used.entry(record.digest.to_string()).or_default() += 1;
                choices.push(choice(ask, record, same_holder)?);
            }
            let seen = Seen { parcel, choices };
            if !seen.is_empty(own, self.known) {
                all.push(seen);
            }
        }
        Ok(all)
    }

    /// Makes the opening with its files, or the next presentation, and keeps both before they leave.
    pub fn make(&self, own: &mut OwnCase, kind: Kind, now: TimeMs) -> Result<(), Failure> {
        let round = match kind {
            Kind::Open => 0,
            Kind::Present { round, .. } => round,
        };
        self.apply(own, now)?;
        let (mut files, mut references, mut parts, mut disclosed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for seen in self.seen(own)? {
            let bound = self.file(own, &seen, round, now)?;
            let recipient = self.recipient(seen.parcel.bureau)?;
            let seeds = (0..bound.parts()).map(|_| clock::random()).collect::<Result<Vec<_>, _>>()?;
            let sealed = bound.seal(&own.key.key(), &recipient.sealing_key, seeds.into_iter());
            parts.extend(sealed.map_err(wrong_file)?);
            references.push(bound.reference(seen.parcel.place));
            let (to, commitment, parts) = (seen.parcel.bureau, bound.commitment(), bound.parts());
            files.push(OwnFile { to, commitment, parts, stored: false });
            disclosed.push(told(own, &seen, recipient, round, now)?);
        }
        let act = self.act(own, kind, references, now)?;
        self.keep(own, &act, Made { files, parts, disclosed }, now)
    }

    fn keep(&self, own: &mut OwnCase, act: &SignedAct, made: Made, now: TimeMs) -> Result<(), Failure> {
        let gone = own.pending.take().map(|pending| pending.files).unwrap_or_default();
        own.pending = Some(pending(act, made.files, made.disclosed, now)?);
        own.refused = None;
        Shelf::of(self.wallet).put_with(own, &made.parts, &gone)?;
        own.named.clear();
        Ok(())
    }

    fn recipient(&self, bureau: Uscc) -> Result<&Recipient, Failure> {
        let none = || Failure::of(ExitCode::Failure, "no_sealing_key", &[("issuer", &bureau)]);
        self.recipients.get(&bureau).ok_or_else(none)
    }

    /// Applications for all that comes of it for this party, made once for all rounds.
    fn apply(&self, own: &mut OwnCase, now: TimeMs) -> Result<(), Failure> {
        if let Some(assisted) = &mut own.assisted {
            return assisted.promise(&parcels(self.known, &own.party, &own.chosen)?);
        }
        for parcel in parcels(self.known, &own.party, &own.chosen)? {
            for given in &parcel.yields {
                if own.applications.contains_key(&given.code) {
                    continue;
                }
                let person = self.holders.get(&given.type_ref.0) == Some(&HolderKind::Person);
                let sealing_key = match person {
                    true => Some(self.recipient(parcel.bureau)?.sealing_key.clone()),
                    false => None,
                };
                let vct = given.type_ref.0.clone();
                let chain = self.chain.chain_id;
                let wish = Wish { chain, issuer: parcel.bureau, vct, copies: 1, sealing_key };
                for made in self.wallet.apply(&wish, 1, now)? {
                    own.applications.insert(given.code.clone(), made.id);
                }
            }
        }
        Ok(())
    }

    fn file(&self, own: &OwnCase, seen: &Seen<'_>, round: u32, now: TimeMs) -> Result<BoundFile, Failure> {
        let parcel = &seen.parcel;
        let file = CaseFile {
            version: CASE_FILE_VERSION,
            chain: self.chain.chain_id,
            case: own.id,
            to: parcel.bureau,
            from: Author::Slot(own.slot),
            round,
            values: values(own, parcel)?,
            presentation: self.presentation(own, seen, round, now)?,
            applications: self.applications(own, parcel)?,
            attachments: self.attachments(own, parcel)?,
            mandate: self.mandate(own)?,
            helped: own.assisted.as_ref().map(|assisted| assisted.told(parcel, &self.chain.chain_id)).transpose()?,
        };
        file.bind(clock::random()?).map_err(wrong_file)
    }

    /// The same for each bureau: who is sent it could read the account anyway.
    fn mandate(&self, own: &OwnCase) -> Result<Option<MandateBytes>, Failure> {
        let acting = self.acting.as_ref();
        acting.map(|acting| acting.mandate(&self.chain, own.id, own.slot, &own.item)).transpose()
    }

    /// One response to all that the bureau asks through the item, bound to this place of this case.
    fn presentation<const MAX: usize>(
        &self,
        own: &OwnCase,
        seen: &Seen<'_>,
        round: u32,
        now: TimeMs,
    ) -> Result<Blob<MAX>, Failure> {
        let parcel = &seen.parcel;
        let shown: Vec<&str> = seen.choices.iter().map(|choice| choice.query.as_str()).collect();
        let none = || Blob::new(Vec::new()).expect("nothing is within any bound");
        if own.assisted.is_some() {
            return Ok(none());
        }
        let Some(query) = self.known.item.query(&own.party, parcel.role, &shown) else { return Ok(none()) };
        if let Some(lacking) = query.credentials.iter().find(|asked| !shown.contains(&asked.id.as_str())) {
            return Err(Failure::of(ExitCode::Failure, "case_licence_missing", &[("ask", &lacking.id)]));
        }
        let request = Request {
            client_id: Did::new(self.name.clone(), parcel.bureau),
            response_type: "vp_token".to_owned(),
            nonce: case_nonce(&own.id, own.slot, round, parcel.place),
            dcql_query: query,
            purpose: self.known.item.purpose.to_string(),
            max_age_ms: SpanMs(REQUEST_SECONDS * 1_000),
            same_holder: self.party(own)?.same_holder,
            iat: now.0 / 1_000,
            exp: now.0 / 1_000 + REQUEST_SECONDS,
        };
        let plan = Plan { choices: seen.choices.iter().map(Choice::again).collect() };
        let names = Some(self.recipient(parcel.bureau)?.names.clone());
        self.wallet.present_to(&plan, &request, names, now, |response| {
            Blob::new(response.to_bytes())
                .map_err(|error| Failure::reported(ExitCode::Failure, "response_too_large", error))
        })
    }

    fn applications<const BYTES: usize, const MAX: usize>(
        &self,
        own: &OwnCase,
        parcel: &Parcel<'_>,
    ) -> Result<List<Text<BYTES>, MAX>, Failure> {
        let mut found = Vec::new();
        for given in parcel.yields.iter().filter(|_| own.assisted.is_none()) {
            let record = own.applications.get(&given.code).map(|id| self.wallet.application(id)).transpose()?.flatten();
            let record = record.ok_or_else(|| Failure::of(ExitCode::Failure, "not_our_key", &[]))?;
            found.push(Text::new(&*record.text).map_err(|error| too_much(&error))?);
        }
        List::new(found).map_err(|error| too_much(&error))
    }

    fn attachments<const MAX: usize>(
        &self,
        own: &OwnCase,
        parcel: &Parcel<'_>,
    ) -> Result<List<Attachment, MAX>, Failure> {
        let mut found = Vec::new();
        for paper in &parcel.papers {
            let Some(kept) = own.given.papers.get(&paper.code) else { continue };
            let content = Shelf::of(self.wallet).paper(own, &paper.code, kept)?;
            found.push(Attachment {
                name: Text::new(&*kept.name).map_err(|error| too_much(&error))?,
                content: Blob::new(content).map_err(|error| too_much(&error))?,
            });
        }
        for (read, id) in &own.consents {
            let by = self.known.item.read.iter().find(|known| known.code == *read).map(|read| &read.by);
            if by != Some(parcel.role) {
                continue;
            }
            let kept = consent::Shelf::of(self.wallet).get(id)?;
            let kept = kept.ok_or_else(|| Failure::of(ExitCode::Usage, "consent_not_here", &[("id", id)]))?;
            found.push(Attachment {
                name: paper_of(read)?,
                content: Blob::new(kept.ticket.as_bytes().to_vec()).map_err(|error| too_much(&error))?,
            });
        }
        found.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        List::new(found).map_err(|error| too_much(&error))
    }

    fn act(&self, own: &OwnCase, kind: Kind, files: Vec<FileRef>, now: TimeMs) -> Result<SignedAct, Failure> {
        let files = List::new(files).map_err(|error| too_much(&error))?;
        let key = own.key.key();
        let letter_key = SealingSecret::from_seed(*own.letter.bytes()).public_key();
        let not_signed = |error| Failure::reported(ExitCode::Failure, "not_signed", error);
        let act = match kind {
            Kind::Open => {
                let open = Open {
                    item: own.item.clone(),
                    version: own.version,
                    file: self.known.public.file,
                    not_after: now.after(OPENING_LIFE),
                    key: key.public_key(),
                    letter_key,
                    chosen: own.chosen.clone(),
                    slots: self.slots(own)?,
                    files,
                    assisted: None,
                };
                let shape = |error| Failure::reported(ExitCode::Usage, "case_shape", error);
                open.check(&self.known.public).map_err(shape)?;
                Act::Open(open)
            }
            Kind::Present { round, join } => {
                let (case, slot) = (own.id, own.slot);
                let join = match &own.joined_by {
                    Some(secret) if join => Some(
                        Join::sign(&self.chain, &case, slot, key.public_key(), &secret.key()).map_err(not_signed)?,
                    ),
                    _ => None,
                };
                Act::Present(Present { case, slot, round, join, letter_key, files, assisted: None })
            }
        };
        let act = match &own.assisted {
            Some(assisted) => assisted.sign(act, &self.chain, self.office)?,
            None => act,
        };
        act.sign(&self.chain, &key).map_err(not_signed)
    }

    fn slots<const MAX: usize>(&self, own: &OwnCase) -> Result<List<SlotRequest, MAX>, Failure> {
        let place = |code: &str| self.known.public.parties.iter().position(|party| party.code.as_str() == code);
        let slots = own.invitations.iter().filter_map(|invited| {
            let party = u8::try_from(place(&invited.party)?).ok()?;
            Some(SlotRequest { party, key: SlotKey::Invited(invited.secret.key().public_key()) })
        });
        List::new(slots.collect()).map_err(|error| too_much(&error))
    }
}

/// Makes an act without files, and keeps it before it leaves.
pub fn keep_act(own: &mut OwnCase, act: Act, chain: &ChainContext, shelf: &Shelf<'_>) -> Result<(), Failure> {
    let signed = act.sign(chain, &own.key.key());
    let signed = signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
    own.pending = Some(pending(&signed, Vec::new(), Vec::new(), clock::now())?);
    shelf.put(own)
}

/// Which act is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The opening.
    Open,
    /// A presentation in a round.
    Present {
        /// Which.
        round: u32,
        /// Whether it joins by its invitation.
        join: bool,
    },
}

struct Made {
    files: Vec<OwnFile>,
    parts: Vec<FilePart>,
    disclosed: Vec<Disclosed>,
}

fn pending(act: &SignedAct, files: Vec<OwnFile>, disclosed: Vec<Disclosed>, now: TimeMs) -> Result<Pending, Failure> {
    let act = Blob::new(codec::encode(act)).map_err(|error| too_much(&error))?;
    Ok(Pending { act, files, disclosed, made_ms: now.0, sent: false })
}

/// With which key the party acts for an enterprise, if it is to.
fn acting(
    wallet: &Wallet,
    known: &KnownItem,
    own: &OwnCase,
    follower: &mut Follower,
) -> Result<Option<Acting>, Failure> {
    let Some(uscc) = own.acts_for else { return Ok(None) };
    let party = known.item.party.iter().find(|party| party.code == own.party);
    if party.is_none_or(|party| party.kind != HolderKind::Enterprise) {
        return Err(Failure::of(ExitCode::Usage, "case_no_enterprise", &[("party", &own.party)]));
    }
    let texts: Vec<(&Field, String)> = known
        .item
        .field
        .iter()
        .filter_map(|field| Some((field, serde_json::from_str(own.given.fields.get(&field.code)?).ok()?)))
        .collect();
    let amount = amount_of(texts.iter().map(|(field, text)| (*field, text.as_str())));
    Acting::find(follower, wallet, &uscc, &own.item, amount).map(Some)
}

fn missing(ask: &Ask) -> Failure {
    Failure::of(ExitCode::Failure, "case_licence_missing", &[("ask", &ask.code)])
}

fn too_much(error: &dyn std::fmt::Display) -> Failure {
    Failure::reported(ExitCode::Usage, "case_file_too_long", error)
}

fn wrong_file(error: CaseFileError) -> Failure {
    Failure::reported(ExitCode::Failure, error.code(), error)
}

fn choice(ask: &Ask, record: LicenceRecord, same_holder: bool) -> Result<Choice, Failure> {
    let mut paths: Vec<ClaimPath> = ask.claims.iter().filter_map(|claim| claim.parse().ok()).collect();
    let binding = ClaimPath::name(kanhe_proto::sd_jwt::HOLDER_BINDING_CLAIM);
    if same_holder && !paths.contains(&binding) {
        paths.push(binding);
    }
    let holding = record.holding()?;
    Ok(Choice { query: ask.code.to_string(), record, holding, paths })
}

fn values<const MAX: usize>(own: &OwnCase, parcel: &Parcel<'_>) -> Result<List<NamedValue, MAX>, Failure> {
    let mut found = Vec::new();
    for field in &parcel.fields {
        match own.given.fields.get(&field.code) {
            Some(value) => found.push(NamedValue {
                name: field.code.clone(),
                value: Text::new(&**value).map_err(|error| too_much(&error))?,
            }),
            None if field.optional => {}
            None => return Err(Failure::of(ExitCode::Usage, "case_field_missing", &[("field", &field.code)])),
        }
    }
    found.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    List::new(found).map_err(|error| too_much(&error))
}

fn told(own: &OwnCase, seen: &Seen<'_>, to: &Recipient, round: u32, now: TimeMs) -> Result<Disclosed, Failure> {
    let parcel = &seen.parcel;
    let mut licences = Vec::new();
    for choice in &seen.choices {
        licences.push(DisclosedLicence {
            ask: choice.query.clone(),
            vct: choice.holding.fixed().vct.to_string(),
            licence: choice.record.digest.to_string(),
            claims: choice.disclosed()?.iter().map(ToString::to_string).collect(),
        });
    }
    let fields = parcel.fields.iter().filter(|field| own.given.fields.contains_key(&field.code));
    let papers = parcel.papers.iter().filter(|paper| own.given.papers.contains_key(&paper.code));
    let assisted = own.assisted.as_ref();
    let reads = parcel.asks.iter().filter(|ask| assisted.is_some_and(|of| of.sources.contains_key(&ask.code)));
    Ok(Disclosed {
        bureau: parcel.bureau,
        names: to.names.clone(),
        round,
        time_ms: now.0,
        licences,
        fields: fields.map(|field| field.code.to_string()).collect(),
        attachments: papers.map(|paper| paper.code.to_string()).collect(),
        applications: if assisted.is_some() { 0 } else { parcel.yields.len() },
        reads: reads.map(|ask| ask.code.to_string()).collect(),
        acts_for: own.acts_for,
    })
}
