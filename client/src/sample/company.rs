//! Companies of Jinan High-tech Zone.

use std::collections::BTreeSet;

use kanhe_proto::identifiers::Uscc;

use super::Dice;
use super::person::{day, name, years_later};

const FIRST: &[&str] = &[
    "泉", "齐", "鲁", "舜", "岱", "恒", "瑞", "鼎", "华", "中", "天", "海", "云", "智", "金", "信", "德", "汇", "博",
    "新", "东", "盛", "联", "普", "星", "众", "凌", "远", "嘉", "荣",
];
const SECOND: &[&str] = &[
    "城", "源", "达", "通", "创", "诚", "泰", "和", "盈", "丰", "腾", "科", "成", "康", "元", "辰", "宇", "邦", "润",
    "昌", "越", "翔", "隆", "捷", "博", "明", "安", "顺", "硕", "锐",
];
/// Trades, with what such a company may do.
const TRADES: &[(&str, &str)] = &[
    ("软件", "软件开发；软件销售；信息系统集成服务；信息技术咨询服务。"),
    ("信息科技", "技术服务、技术开发、技术咨询、技术转让；数据处理和存储支持服务。"),
    ("智能装备", "智能机器人的研发；工业自动控制系统装置制造；机械设备销售。"),
    ("生物医药", "医学研究和试验发展；第二类医疗器械销售；化工产品销售（不含许可类化工产品）。"),
    ("建筑工程", "建设工程施工；住宅室内装饰装修；建筑材料销售。"),
    ("餐饮管理", "餐饮管理；餐饮服务；食品销售（仅销售预包装食品）。"),
    ("供应链管理", "供应链管理服务；国内货物运输代理；普通货物仓储服务。"),
    ("文化传媒", "组织文化艺术交流活动；广告设计、代理；会议及展览服务。"),
    ("新能源", "太阳能发电技术服务；充电桩销售；储能技术服务。"),
    ("商贸", "日用百货销售；五金产品零售；货物进出口。"),
    ("环保科技", "环境保护监测；水污染治理；资源再生利用技术研发。"),
    ("集成电路", "集成电路设计；集成电路芯片及产品销售；电子元器件制造。"),
];
const FORMS: &[(&str, &str)] = &[
    ("有限公司", "有限责任公司（自然人投资或控股）"),
    ("有限公司", "有限责任公司（自然人独资）"),
    ("有限责任公司", "其他有限责任公司"),
    ("股份有限公司", "股份有限公司（非上市）"),
    ("合伙企业（有限合伙）", "有限合伙企业"),
];
const ROADS: &[&str] =
    &["新泺大街", "舜华路", "颖秀路", "天辰路", "经十东路", "港兴三路", "飞跃大道", "旅游路", "凤凰路"];
const ALPHABET_31: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// A code of Jinan's market regulation: 91, 370100, an organisation code that begins with MA3, check character.
fn uscc(dice: &mut Dice) -> Uscc {
    let mut code = *b"MA300000";
    for place in &mut code[3..] {
        *place = ALPHABET_31[dice.below(31) as usize];
    }
    let organisation: String = code.iter().map(|byte| char::from(*byte)).collect();
    let check = organisation_check(&code);
    Uscc::with_check(&format!("91370100{organisation}{check}")).expect("only characters of its alphabet")
}

/// GB 11714: weighted sum modulo 11, where letters count from ten.
fn organisation_check(code: &[u8; 8]) -> char {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let value = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' + 10 };
    let sum: u32 = code.iter().zip(WEIGHTS).map(|(byte, weight)| u32::from(value(*byte)) * weight).sum();
    match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from(b'0' + digit as u8),
    }
}

/// A row of a business licence.
pub(super) fn row(dice: &mut Dice, taken: &mut BTreeSet<String>, number: u64) -> Vec<String> {
    let code = loop {
        let code = uscc(dice).as_str().to_string();
        if taken.insert(code.clone()) {
            break code;
        }
    };
    let (trade, scope) = TRADES[dice.below(TRADES.len() as u64) as usize];
    let (form, kind) = FORMS[dice.below(FORMS.len() as u64) as usize];
    let mut brand = format!("{}{}", dice.pick(FIRST), dice.pick(SECOND));
    if dice.percent(40) {
        brand.push_str(dice.pick(SECOND));
    }
    let company = format!("济南{brand}{trade}{form}");
    let founded = day(dice, 2003, 2025);
    let end = if dice.percent(70) { "长期".to_string() } else { years_later(founded, 30).to_string() };
    let capital = [10, 50, 100, 200, 300, 500, 1000, 2000, 5000][dice.below(9) as usize];
    let road = dice.pick(ROADS);
    let place = format!(
        "济南高新区{road}{}号{}号楼{}{:02}室",
        dice.between(1, 2999),
        dice.between(1, 12),
        dice.between(1, 28),
        dice.between(1, 20)
    );
    let male = dice.percent(65);
    vec![
        format!("370100{number:09}"),
        company,
        code,
        kind.to_string(),
        name(dice, male),
        capital.to_string(),
        founded.to_string(),
        place,
        scope.to_string(),
        founded.to_string(),
        end,
    ]
}
