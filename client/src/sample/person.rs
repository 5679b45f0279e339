//! People.

use std::collections::BTreeSet;

use kanhe_proto::identifiers::{Day, PersonId};

use super::Dice;

const SURNAMES: &[&str] = &[
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马",
    "罗", "梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓", "许", "傅", "沈", "曾",
    "彭", "吕", "苏", "卢", "蒋", "蔡", "贾", "丁", "魏", "薛", "叶", "阎", "欧阳", "司马", "诸葛",
];
const MALE: &[&str] = &[
    "伟", "强", "磊", "军", "勇", "杰", "涛", "明", "超", "刚", "平", "辉", "鹏", "志强", "建国", "海涛", "文博",
    "子轩", "浩然", "宇航", "德明", "立新", "国栋", "振华", "俊杰", "泽宇", "家豪", "晓东", "庆丰", "书恒",
];
const FEMALE: &[&str] = &[
    "芳", "娜", "敏", "静", "丽", "艳", "娟", "霞", "燕", "玲", "秀英", "桂兰", "雨桐", "欣怡", "梓涵", "诗涵", "晓红",
    "淑珍", "海燕", "雪梅", "春梅", "佳琪", "思远", "梦瑶", "若曦", "玉洁", "文静", "晨曦", "可馨", "紫萱",
];
/// District codes of Jinan (GB/T 2260) with names and roads.
const DISTRICTS: &[(&str, &str, &[&str])] = &[
    ("370102", "历下区", &["泉城路", "经十路", "文化东路", "解放路", "燕子山路", "历山路"]),
    ("370103", "市中区", &["英雄山路", "舜耕路", "玉函路", "建设路"]),
    ("370104", "槐荫区", &["经十西路", "张庄路", "烟台路", "腊山河西路"]),
    ("370105", "天桥区", &["堤口路", "无影山中路", "济泺路", "北园大街"]),
    ("370112", "历城区", &["洪楼南路", "花园路", "工业北路", "唐冶中路"]),
    ("370113", "长清区", &["大学路", "清河街", "经十西路"]),
    ("370114", "章丘区", &["明水大街", "双山大街", "龙泉路"]),
    ("370115", "济阳区", &["开元大街", "银河路"]),
    ("370116", "莱芜区", &["鲁中大街", "文化北路"]),
    ("370124", "平阴县", &["翠屏街", "锦水街"]),
];

/// A person.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) id: PersonId,
    pub(super) male: bool,
    pub(super) ethnic_group: &'static str,
    pub(super) address: String,
    pub(super) office: String,
}

pub(super) fn name(dice: &mut Dice, male: bool) -> String {
    format!("{}{}", dice.pick(SURNAMES), dice.pick(if male { MALE } else { FEMALE }))
}

/// A day from 1 January of one year to 28 December of another.
pub(super) fn day(dice: &mut Dice, first_year: u64, last_year: u64) -> Day {
    let (year, month) = (dice.between(first_year, last_year), dice.between(1, 12));
    Day::new(year as i16, month as i8, dice.between(1, 28) as i8).expect("every month has 28 days")
}

/// The same day of another year.
pub(super) fn years_later(from: Day, years: i16) -> Day {
    let (year, month, day) = from.parts();
    Day::new(year + years, month, day).expect("no sample day is 29 February")
}

impl Person {
    /// A person whose number is not taken yet.
    pub(super) fn draw(dice: &mut Dice, taken: &mut BTreeSet<String>) -> Self {
        loop {
            let male = dice.percent(51);
            let (code, district, roads) = DISTRICTS[dice.below(DISTRICTS.len() as u64) as usize];
            let birthday = day(dice, 1945, 2006).to_string().replace('-', "");
            // The last digit of the order number is odd for men.
            let order = dice.between(0, 499) * 2 + u64::from(male);
            let id = PersonId::with_check(&format!("{code}{birthday}{order:03}")).expect("digits and a real day");
            if !taken.insert(id.as_str().to_string()) {
                continue;
            }
            let road = dice.pick(roads);
            let address = format!(
                "济南市{district}{road}{}号{}号楼{}单元{}{:02}",
                dice.between(1, 399),
                dice.between(1, 30),
                dice.between(1, 4),
                dice.between(1, 33),
                dice.between(1, 4)
            );
            let ethnic_group = if dice.percent(97) { "汉" } else { dice.pick(&["回", "满", "蒙古", "朝鲜"]) };
            let office = format!("济南市公安局{district}分局");
            return Self { name: name(dice, male), id, male, ethnic_group, address, office };
        }
    }

    /// A row of an identity card.
    pub(super) fn row(&self, dice: &mut Dice) -> Vec<String> {
        let from = day(dice, 2017, 2025);
        let born = self.id.birthday();
        let age = from.parts().0 - born.parts().0;
        let to = match age {
            46.. => "长期".to_string(),
            26.. => years_later(from, 20).to_string(),
            16.. => years_later(from, 10).to_string(),
            _ => years_later(from, 5).to_string(),
        };
        let sex = if self.male { "男" } else { "女" };
        vec![
            self.name.clone(),
            self.id.as_str().to_string(),
            sex.to_string(),
            self.ethnic_group.to_string(),
            born.to_string(),
            self.address.clone(),
            self.office.clone(),
            from.to_string(),
            to,
        ]
    }
}
