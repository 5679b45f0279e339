//! Homes and who owns them.

use std::collections::BTreeSet;

use super::Dice;
use super::person::{Person, day};

/// A row of a real-estate certificate.
pub(super) fn row(dice: &mut Dice, taken: &mut BTreeSet<String>, number: u64) -> Vec<String> {
    let owner = Person::draw(dice, taken);
    let registered = day(dice, 2016, 2025);
    let built = day(dice, 1998, 2015);
    let parcel = dice.between(1, 99_999);
    let (building, unit) = (dice.between(1, 40), dice.between(1, 9_999));
    let shared = dice.pick(&["单独所有", "单独所有", "共同共有", "按份共有"]);
    let area = dice.between(4_500, 21_000);
    let (year, _, _) = registered.parts();
    vec![
        format!("鲁({year})济南市不动产权第{number:07}号"),
        owner.name.clone(),
        owner.id.as_str().to_string(),
        shared.to_string(),
        owner.address.clone(),
        format!(
            "{}{:03}{:03}GB{parcel:05}F{building:04}{unit:04}",
            &owner.id.as_str()[..6],
            number % 20 + 1,
            number % 300 + 1
        ),
        "国有建设用地使用权/房屋所有权".to_string(),
        dice.pick(&["出让/市场化商品房", "划拨/房改房", "出让/存量房"]).to_string(),
        "城镇住宅用地/成套住宅".to_string(),
        format!("{}.{:02}", area / 100, area % 100),
        registered.to_string(),
        // Seventy years from when the land was let.
        super::person::years_later(built, 70).to_string(),
    ]
}
