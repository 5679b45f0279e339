//! Accounts of enterprises: what is signed, how acts change them, and what a mandate is worth.
#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::account::{
    AccountAct, AccountError, AccountHistory, AccountPayload, AccountRecord, Allowed, Change, Delegate,
    EnterpriseAccount, Grant, HistoryError, Mandate, MandateBody, MandateError, MandateFault, Opening,
    SignedAccountAct, account_key,
};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::codec;
use kanhe_proto::ids::{Era, Height, LogIndex, ProtocolVersion, TimeMs};
use kanhe_proto::key::{PublicKey, Signer};
use kanhe_proto::limits::{ACCOUNT_DELEGATES_MAX, ACCOUNT_KEYS_MAX, DELEGATE_LIFE_MAX_MS};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::transaction::{Payload, PayloadError};
use kanhe_proto::vote::ChainContext;
use world::accounts::{
    account, act, acts, by_bureau, by_owner, company, delegate, grant, opening, owner, second, signed,
};
use world::cases::{NOW, chain, id};
use world::{DAY, World, bureau, secret};

fn own(sequence: u32, change: Change) -> AccountAct {
    act(sequence, by_owner(), change)
}

#[test]
fn a_signature_is_of_one_act_one_key_and_one_chain() {
    for (name, act, key) in acts() {
        let act = signed(act, &key);
        act.verify(&chain(), &key.public_key()).unwrap();
        assert!(act.verify(&chain(), &secret(99).public_key()).is_err(), "{name}");
        assert!(act.verify(&ChainContext { era: Era(1), ..chain() }, &key.public_key()).is_err(), "{name}");
    }
}

/// Any byte of an act changed: it is not decodable, or its signature does not hold.
#[test]
fn no_byte_of_an_act_can_be_changed() {
    for (name, act, key) in acts() {
        let bytes = codec::encode(&signed(act, &key));
        let mut refused = 0;
        for place in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[place] ^= bit;
                match codec::decode::<SignedAccountAct>(&changed, 1 << 16) {
                    Ok(read) => assert!(read.verify(&chain(), &key.public_key()).is_err(), "{name}: byte {place}"),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 0, "{name}");
    }
}

#[test]
fn only_version_3_has_accounts() {
    let acts: Vec<_> = acts().into_iter().map(|(_, act, key)| signed(act, &key)).collect();
    let payload = AccountPayload { acts: List::new(acts).unwrap() };
    assert_eq!(payload.signatures(), 7);
    let raw = Payload::EnterpriseAccount(payload.clone()).to_raw();
    for version in [1, 2] {
        let refused = Payload::from_raw(&raw, ProtocolVersion(version)).unwrap_err();
        assert_eq!(refused, PayloadError::UnknownKind { kind: 6, version: 1 });
    }
    assert_eq!(Payload::from_raw(&raw, ProtocolVersion(3)).unwrap(), Payload::EnterpriseAccount(payload.clone()));
    assert_eq!(AccountPayload::from_bytes(&payload.to_bytes()).unwrap(), payload);
}

/// The largest acts fit into a transaction, the largest account into a leaf and a mandate.
#[test]
fn the_largest_fits() {
    let key = |n: u8| PublicKey { bytes: Blob::new([n; 65]).unwrap(), ..owner().public_key() };
    let item = Text::new("a".repeat(64)).unwrap();
    let grant = Grant { key: key(1), items: List::new(vec![item; 16]).unwrap(), ..grant() };
    let largest = signed(own(1, Change::SetDelegate(grant.clone())), &owner());
    let payload = AccountPayload { acts: List::new(vec![largest; 8]).unwrap() };
    assert!(payload.to_bytes().len() < kanhe_proto::limits::ACCOUNT_PAYLOAD_BYTES_MAX);
    let delegate = Delegate { grant, since: 1, set: NOW, revoked: Some(NOW) };
    let full = EnterpriseAccount {
        keys: List::new((0..ACCOUNT_KEYS_MAX as u8).map(key).collect()).unwrap(),
        delegates: List::new(vec![delegate; ACCOUNT_DELEGATES_MAX]).unwrap(),
        ..account()
    };
    // A header, a certificate and a path have less than half of a mandate's bytes.
    assert!(full.to_value().len() < kanhe_proto::account::MANDATE_BYTES_MAX / 2);
    assert_eq!(EnterpriseAccount::from_value(&full.to_value()).unwrap(), full);
}

#[test]
fn acts_change_an_account_one_after_the_other() {
    let Change::Open(opening) = &opening().change else { panic!("an opening opens") };
    let mut now = opening.open(&world::accounts::opening()).unwrap();
    assert_eq!((now.sequence, now.keys.len(), now.opened_by), (1, 1, bureau(0)));
    for (name, act, _) in acts().into_iter().skip(1) {
        now = now.after(&act, NOW).unwrap_or_else(|error| panic!("{name}: {error}"));
        match name {
            "account-set-delegate" => {
                assert_eq!((now.delegates[0].since, now.delegates[0].set, now.delegates[0].revoked), (2, NOW, None));
            }
            "account-revoke-delegate" => assert_eq!(now.delegates[0].revoked, Some(NOW)),
            "account-close" => assert!(now.closed),
            _ => {}
        }
    }
    // The bureau brought it back, with another key and nobody else.
    assert_eq!((now.closed, now.delegates.len(), now.sequence), (false, 0, 7));
    assert_eq!(now.keys.to_vec(), [second().public_key()]);
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let account = account();
    let after = |act: AccountAct| account.after(&act, NOW).unwrap_err();
    let now = |change: Change| after(own(3, change));
    assert_eq!(after(own(2, Change::Close)), AccountError::Sequence);
    assert_eq!(after(own(4, Change::Close)), AccountError::Sequence);
    assert_eq!(after(AccountAct { sequence: 3, ..opening() }), AccountError::Exists);
    let key = |n: u8| secret(n).public_key();
    let list = |keys: Vec<PublicKey>| List::new(keys).unwrap();
    for change in [
        Change::AddKey(key(1)),
        Change::RemoveKey(owner().public_key().id()),
        Change::SetDelegate(grant()),
        Change::RevokeDelegate(delegate().public_key().id()),
    ] {
        assert_eq!(after(act(3, by_bureau(), change)), AccountError::NotNamed);
    }
    assert_eq!(now(Change::ReplaceKeys(list(vec![key(1)]))), AccountError::NotNamed);
    let x25519 = SealingSecret::from_seed([1; 32]).public_key();
    for wrong in [vec![], vec![key(1), key(1)], vec![x25519.clone()]] {
        assert_eq!(after(act(3, by_bureau(), Change::ReplaceKeys(list(wrong)))), AccountError::Keys);
    }
    for wrong in [owner().public_key(), delegate().public_key(), x25519.clone()] {
        assert_eq!(now(Change::AddKey(wrong)), AccountError::Keys);
    }
    assert_eq!(now(Change::RemoveKey(key(9).id())), AccountError::Keys);
    let one = EnterpriseAccount { keys: list(vec![owner().public_key()]), ..account.clone() };
    let last = own(3, Change::RemoveKey(owner().public_key().id()));
    assert_eq!(one.after(&last, NOW).unwrap_err(), AccountError::Keys);
    let full = EnterpriseAccount { keys: list((1..=8).map(key).collect()), ..account.clone() };
    assert_eq!(full.after(&own(3, Change::AddKey(key(9))), NOW).unwrap_err(), AccountError::Keys);

    let set = |edit: &dyn Fn(&mut Grant)| {
        let mut grant = grant();
        edit(&mut grant);
        account.after(&own(3, Change::SetDelegate(grant)), NOW)
    };
    set(&|grant| grant.items = List::empty()).unwrap();
    set(&|grant| grant.not_after = TimeMs(NOW.0 + DELEGATE_LIFE_MAX_MS)).unwrap();
    for not_after in [NOW.0, NOW.0 + DELEGATE_LIFE_MAX_MS + 1] {
        assert_eq!(set(&|grant| grant.not_after = TimeMs(not_after)).unwrap_err(), AccountError::DelegateLife);
    }
    assert_eq!(set(&|grant| grant.key = owner().public_key()).unwrap_err(), AccountError::Delegate);
    assert_eq!(set(&|grant| grant.key = x25519.clone()).unwrap_err(), AccountError::Delegate);
    assert_eq!(set(&|grant| grant.items.as_mut_slice().swap(0, 1)).unwrap_err(), AccountError::Delegate);
    assert_eq!(
        set(&|grant| grant.items.as_mut_slice()[0] = Text::new("A b").unwrap()).unwrap_err(),
        AccountError::Delegate
    );
    assert_eq!(now(Change::RevokeDelegate(key(9).id())), AccountError::Delegate);
    let revoked = account.after(&own(3, Change::RevokeDelegate(delegate().public_key().id())), NOW).unwrap();
    let again = own(4, Change::RevokeDelegate(delegate().public_key().id()));
    assert_eq!(revoked.after(&again, NOW).unwrap_err(), AccountError::Delegate);
    let closed = account.after(&own(3, Change::Close), NOW).unwrap();
    assert_eq!(closed.after(&own(4, Change::AddKey(key(1))), NOW).unwrap_err(), AccountError::Closed);
    // An opening is a bureau's, and the first act.
    let Change::Open(given) = opening().change else { panic!("an opening opens") };
    assert_eq!(given.open(&AccountAct { by: by_owner(), ..opening() }).unwrap_err(), AccountError::NotNamed);
    assert_eq!(given.open(&AccountAct { sequence: 1, ..opening() }).unwrap_err(), AccountError::Sequence);
    let none = Opening { keys: List::empty(), ..given };
    assert_eq!(none.open(&opening()).unwrap_err(), AccountError::Keys);
}

#[test]
fn delegates_who_act_no_more_make_room() {
    let mut now = EnterpriseAccount { delegates: List::empty(), ..account() };
    let set = |n: u8, until: u64| {
        let grant = Grant { key: secret(n).public_key(), not_after: TimeMs(NOW.0 + until), ..grant() };
        Change::SetDelegate(grant)
    };
    for n in 0..ACCOUNT_DELEGATES_MAX as u8 {
        now = now.after(&own(now.sequence, set(n, if n == 7 { 5 } else { DAY })), NOW).unwrap();
    }
    let more = |now: &EnterpriseAccount, at| now.after(&own(now.sequence, set(99, DAY)), TimeMs(at));
    assert_eq!(more(&now, NOW.0 + 5).unwrap_err(), AccountError::Delegate);
    let after = more(&now, NOW.0 + 6).unwrap();
    assert_eq!(after.delegates.len(), ACCOUNT_DELEGATES_MAX);
    assert!(after.delegate(&secret(7).public_key().id()).is_none());
    // The same key again takes its own place.
    let again = now.after(&own(now.sequence, set(3, 2 * DAY)), NOW).unwrap();
    assert_eq!((again.delegates.len(), again.delegates[3].since), (ACCOUNT_DELEGATES_MAX, now.sequence));
}

#[test]
fn a_delegate_acts_within_its_limits_and_no_further() {
    let account = account();
    let key = delegate().public_key();
    let allows = |item: &str, at: u64| account.allows(&key, item, TimeMs(at)).map(|_| ());
    let until = grant().not_after.0;
    assert_eq!(allows("invoice-quota", until), Ok(()));
    assert_eq!(allows("invoice-quota", until + 1), Err(MandateFault::Expired));
    assert_eq!(allows("company-opening", NOW.0), Err(MandateFault::Item));
    assert_eq!(account.allows(&owner().public_key(), "any", NOW), Ok(Allowed::Own));
    assert_eq!(account.allows(&secret(9).public_key(), "invoice-quota", NOW), Err(MandateFault::Unknown));
    let revoked = account.after(&own(3, Change::RevokeDelegate(key.id())), TimeMs(NOW.0 + 10)).unwrap();
    let then = |at: u64| revoked.allows(&key, "invoice-quota", TimeMs(at)).map(|_| ());
    assert_eq!((then(NOW.0 + 9), then(NOW.0 + 10)), (Ok(()), Err(MandateFault::Revoked)));
    let closed = EnterpriseAccount { closed: true, ..account.clone() };
    assert_eq!(closed.allows(&owner().public_key(), "any", NOW), Err(MandateFault::Closed));

    let Ok(Allowed::Delegate(known)) = account.allows(&key, "invoice-quota", NOW) else { panic!("a delegate") };
    assert_eq!(known.check_limits(Some(10_000_000), 2), Ok(()));
    assert_eq!(known.check_limits(None, 0), Ok(()));
    assert_eq!(known.check_limits(Some(10_000_001), 0), Err(MandateFault::Limit));
    assert_eq!(known.check_limits(None, 3), Err(MandateFault::Limit));
    let unbound = Delegate { grant: Grant { amount_max: None, cases_max: None, ..grant() }, ..known.clone() };
    assert_eq!(unbound.check_limits(Some(u64::MAX), u32::MAX), Ok(()));
    let mut codes: Vec<&str> = MandateFault::ALL.iter().map(|fault| fault.code()).collect();
    codes.dedup();
    assert_eq!(codes.len(), MandateFault::ALL.len());
}

#[test]
fn no_act_can_be_left_out_of_the_history() {
    let mut world = World::new();
    let mut places: Vec<LogIndex> = Vec::new();
    for (_, act, key) in acts() {
        let before = places.last().copied();
        places.push(world.record(&AccountRecord { before, signed: signed(act, &key), height: Height(7), time: NOW }));
    }
    let header = world.header();
    let leaf = EnterpriseAccount { sequence: 7, last: places[6], ..account() };
    let mut whole = AccountHistory::of(&leaf);
    for place in places.iter().rev() {
        assert_eq!(whole.wanted(), Some(*place));
        whole.push(&header, &world.proved_record(*place)).unwrap();
    }
    assert_eq!(whole.wanted(), None);
    assert_eq!(whole.into_whole().unwrap().len(), 7);
    // Not the last, or one left out.
    let mut short = AccountHistory::of(&leaf);
    let other = |place: usize| Err(HistoryError::Other(places[place]));
    assert_eq!(short.push(&header, &world.proved_record(places[5])), other(5));
    short.push(&header, &world.proved_record(places[6])).unwrap();
    assert_eq!(short.push(&header, &world.proved_record(places[4])), other(4));
    assert_eq!(short.into_whole(), None);
    let mut of_another = AccountHistory::of(&EnterpriseAccount { uscc: bureau(0), ..leaf });
    assert_eq!(of_another.push(&header, &world.proved_record(places[6])), other(6));
    let mut forged = world.proved_record(places[6]);
    let mut bytes = forged.record.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    forged.record = Blob::new(bytes).unwrap();
    assert!(matches!(of_another.push(&header, &forged), Err(HistoryError::Merkle(_))));
}

fn body() -> MandateBody {
    MandateBody {
        version: 1,
        case: id(),
        slot: 0,
        item: Text::new("invoice-quota").unwrap(),
        account: company(),
        key: delegate().public_key(),
    }
}

fn shown(account: Option<&EnterpriseAccount>) -> (CertifiedHeader, ProvedLeaf) {
    let mut world = World::new();
    if let Some(account) = account {
        world.state.insert(account_key(&company()), account.to_value());
    }
    (world.certified(), world.state_leaf(account_key(&company())))
}

#[test]
fn a_mandate_is_for_one_place_of_one_case() {
    let (certified, leaf) = shown(Some(&account()));
    let mandate = body().sign(&chain(), &delegate(), certified.clone(), leaf.clone()).unwrap();
    let mandate = Mandate::decode(&mandate.encode()).unwrap();
    let item = body().item;
    assert_eq!(mandate.read(&chain(), &id(), 0, &item).unwrap(), account());
    let other = Text::new("annual-report").unwrap();
    for refused in [
        mandate.read(&chain(), &Default::default(), 0, &item),
        mandate.read(&chain(), &id(), 1, &item),
        mandate.read(&chain(), &id(), 0, &other),
    ] {
        assert_eq!(refused.unwrap_err().code(), "mandate_other");
    }
    let code = |edit: &dyn Fn(&mut Mandate)| {
        let mut changed = mandate.clone();
        edit(&mut changed);
        changed.read(&chain(), &id(), 0, &item).unwrap_err().code()
    };
    assert_eq!(
        mandate.read(&ChainContext { era: Era(1), ..chain() }, &id(), 0, &item).unwrap_err().code(),
        "mandate_signature"
    );
    assert_eq!(code(&|mandate| mandate.body.key = owner().public_key()), "mandate_signature");
    assert_eq!(code(&|mandate| mandate.body.account = bureau(0)), "mandate_signature");
    assert_eq!(code(&|mandate| mandate.certified.header.state_root.0[0] ^= 1), "mandate_proof");
    let raised = EnterpriseAccount { delegates: List::empty(), ..account() };
    assert_eq!(code(&|mandate| mandate.account.value = Some(Blob::new(raised.to_value()).unwrap())), "mandate_proof");
    let (certified, leaf) = shown(None);
    let nobody = body().sign(&chain(), &delegate(), certified, leaf).unwrap();
    assert_eq!(nobody.read(&chain(), &id(), 0, &item).unwrap_err(), MandateError::NoAccount);
    let mut later = mandate.clone();
    later.body.version = 2;
    assert_eq!(Mandate::decode(&later.encode()).unwrap_err(), MandateError::Version(2));
    assert!(Mandate::decode(&mandate.encode()[1..]).is_err());
}
