//! What a `User-Agent` says: the program, the system, the kind of device. Tables in the order in which they are tried, since every
//! browser also names the ones that it wants to be taken for.

use crate::sink::Sink;
use crate::{NotMatched, Value};

const NAME: &str = "user_agent.name";
const VERSION: &str = "user_agent.version";
const OS_NAME: &str = "user_agent.os.name";
const OS_VERSION: &str = "user_agent.os.version";
const DEVICE: &str = "user_agent.device.type";
const MODEL: &str = "user_agent.device.model";

/// All names that a text may bring.
pub(crate) const NAMES: [&str; 6] = [NAME, VERSION, OS_NAME, OS_VERSION, DEVICE, MODEL];

/// What is behind a token up to the first character of no version is the version: token, name.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera Touch"),
    ("OPiOS/", "Opera Mini"),
    ("Opera Mini/", "Opera Mini"),
    ("Opera Mobi/", "Opera Mobile"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("UCBrowser/", "UC Browser"),
    ("YaBrowser/", "Yandex Browser"),
    ("Vivaldi/", "Vivaldi"),
    ("Whale/", "Whale"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Puffin/", "Puffin"),
    ("Brave/", "Brave"),
    ("Brave Chrome/", "Brave"),
    ("MiuiBrowser/", "MIUI Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("MicroMessenger/", "WeChat"),
    ("MQQBrowser/", "QQ Browser"),
    ("QQBrowser/", "QQ Browser"),
    ("FBAV/", "Facebook"),
    ("Instagram ", "Instagram"),
    ("Silk/", "Amazon Silk"),
    ("GSA/", "Google"),
    ("Electron/", "Electron"),
    ("FxiOS/", "Firefox"),
    ("Focus/", "Firefox Focus"),
    ("Iceweasel/", "Iceweasel"),
    ("SeaMonkey/", "SeaMonkey"),
    ("PaleMoon/", "Pale Moon"),
    ("Waterfox/", "Waterfox"),
    ("Thunderbird/", "Thunderbird"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Headless Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Maxthon", "Maxthon"),
    (" Opera ", "Opera"),
    ("MSIE ", "Internet Explorer"),
    ("Konqueror/", "Konqueror"),
];

/// Token, name; what is behind it is the version, with `_` for dots on Apple's systems.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows Phone OS ", "Windows Phone"),
    ("Windows Phone ", "Windows Phone"),
    ("Windows NT ", "Windows"),
    ("Windows ", "Windows"),
    ("Windows", "Windows"),
    ("Win98", "Windows"),
    ("Win95", "Windows"),
    ("Symbian", "Symbian"),
    ("CPU iPhone OS ", "iOS"),
    ("CPU OS ", "iOS"),
    ("iPhone OS ", "iOS"),
    ("iOS ", "iOS"),
    ("iOS/", "iOS"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("iPod", "iOS"),
    ("Tizen ", "Tizen"),
    ("Tizen", "Tizen"),
    ("KAIOS/", "KaiOS"),
    ("OpenHarmony ", "HarmonyOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("Web0S", "webOS"),
    ("webOS/", "webOS"),
    ("Android ", "Android"),
    ("Android/", "Android"),
    ("Android", "Android"),
    ("CrOS ", "ChromeOS"),
    ("PlayStation", "PlayStation"),
    ("Nintendo ", "Nintendo"),
    ("Mac OS X ", "macOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Darwin/", "Darwin"),
    ("Ubuntu", "Ubuntu"),
    ("Fedora", "Fedora"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("NetBSD", "NetBSD"),
    ("SunOS", "Solaris"),
    ("BlackBerry", "BlackBerry"),
    ("BB10", "BlackBerry"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
];

/// Words of programs that crawl, in lower case.
const BOTS: &[&str] = &[
    "bot",
    "crawl",
    "spider",
    "slurp",
    "facebookexternalhit",
    "mediapartners-google",
    "feedfetcher",
    "lighthouse",
    "pingdom",
    "uptime",
    "monitor",
    "statuscake",
    "yandeximages",
    "ia_archiver",
    "archiver",
    "scrapy",
    "bingpreview",
    "duckduckgo-favicons",
    "google-inspectiontool",
    "googleother",
    "chatgpt-user",
    "claude-web",
    "whatsapp",
    "embedly",
    "validator",
    "headlesschrome",
    "kube-probe",
    "healthcheck",
    "googlehc",
    "elb-health",
    "zgrab",
    "masscan",
    "nmap",
    "nikto",
    "sqlmap",
];

/// NT's versions as people know them.
const WINDOWS: &[(&str, &str)] = &[
    ("10.0", "10"),
    ("6.4", "10"),
    ("6.3", "8.1"),
    ("6.2", "8"),
    ("6.1", "7"),
    ("6.0", "Vista"),
    ("5.2", "XP"),
    ("5.1", "XP"),
    ("5.0", "2000"),
];

pub(crate) fn extract(text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
    let text = text.trim();
    if text.is_empty() || text == "-" {
        return Err(NotMatched::because("no user agent"));
    }
    let bot = bot(text);
    let (name, version) = bot.or_else(|| program(text)).unwrap_or_default();
    let system = system(text);
    for (at, value) in [(NAME, name), (VERSION, version)] {
        if !value.is_empty() {
            sink.put(at, Value::str(value))?;
        }
    }
    let mut os = "";
    if let Some((name, version)) = system {
        os = name;
        sink.put(OS_NAME, Value::str(name))?;
        if !version.is_empty() {
            let version = if version.contains('_') { version.replace('_', ".").into() } else { version.into() };
            sink.put(OS_VERSION, Value::Str(version))?;
        }
    }
    sink.put(DEVICE, Value::str(device(text, os, bot.is_some())))?;
    match model(text) {
        Some(model) => sink.put(MODEL, Value::str(model)),
        None => Ok(()),
    }
}

/// The digits, dots and underscores at the beginning of a text.
fn version(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_')).unwrap_or(text.len());
    let word = &text[..end];
    if word.starts_with(|c: char| c.is_ascii_digit()) { word.trim_end_matches('.') } else { "" }
}

fn behind<'t>(text: &'t str, token: &str) -> Option<&'t str> {
    text.find(token).map(|at| &text[at + token.len()..])
}

/// A program that crawls: the product whose name has a bot's word in it.
fn bot(text: &str) -> Option<(&str, &str)> {
    let lower = text.to_ascii_lowercase();
    // Cubot makes telephones.
    let at = BOTS.iter().filter_map(|word| lower.find(word)).min().filter(|_| !lower.contains("cubot"))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '!');
    let start = text[..at].rfind(|c: char| !is_name(c)).map_or(0, |before| before + 1);
    let end = text[at..].find(|c: char| !is_name(c)).map_or(text.len(), |end| at + end);
    let is_address = text[..start].ends_with("://") || text[..start].ends_with('@') || text[end..].starts_with('@');
    let (name, rest) = if is_address { product(text) } else { (&text[start..end], &text[end..]) };
    Some((name, rest.strip_prefix('/').map_or("", version)))
}

/// The first product of a text.
fn product(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', ' ', ';', '(']).unwrap_or(text.len()))
}

fn program(text: &str) -> Option<(&str, &str)> {
    let known = BROWSERS.iter().find_map(|(token, name)| Some((*name, version(behind(text, token)?))));
    let old_opera =
        || text.starts_with("Opera").then(|| ("Opera", behind(text, "Version/").or(text.get(6..)).map_or("", version)));
    let internet_explorer =
        || behind(text, "Trident/").and(behind(text, "rv:")).map(|rest| ("Internet Explorer", version(rest)));
    let apple = || {
        let rest = behind(text, "Version/").filter(|_| text.contains("Safari"))?;
        Some((if text.contains("Android") { "Android Browser" } else { "Safari" }, version(rest)))
    };
    // Browsers of Gecko and WebKit that no table has say their name last.
    let last = || {
        let known = ["Mozilla", "Gecko", "AppleWebKit", "KHTML", "Version", "Mobile", "Safari", "Chrome"];
        let word = text.rsplit(' ').find(|word| !word.contains([')', '(', ';', ':']) && word.contains('/'))?;
        let (name, rest) = product(word);
        let is_name = text.starts_with("Mozilla") && !known.contains(&name) && name.starts_with(char::is_alphabetic);
        is_name.then(|| (name, version(&rest[1..])))
    };
    let safari = || text.contains(" Safari/").then_some(("Safari", ""));
    let other = || {
        let (name, rest) = product(text);
        let version = rest.strip_prefix('/').map_or("", version);
        (name != "Mozilla" && !name.is_empty()).then_some((name, version))
    };
    old_opera()
        .filter(|_| !text.contains("Opera Mini/") && !text.contains("Opera Mobi/"))
        .or(known)
        .or_else(internet_explorer)
        .or_else(apple)
        .or_else(last)
        .or_else(safari)
        .or_else(other)
}

fn system(text: &str) -> Option<(&str, &str)> {
    let (name, version) = SYSTEMS.iter().find_map(|(token, name)| Some((*name, version(behind(text, token)?))))?;
    let nt = WINDOWS.iter().find(|(number, _)| *number == version && text.contains("Windows NT"));
    Some((name, nt.map_or(version, |(_, known)| known)))
}

fn device(text: &str, os: &str, is_bot: bool) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if is_bot {
        "bot"
    } else if has(&[
        "SmartTV", "SMART-TV", "Smart TV", "AppleTV", "GoogleTV", "BRAVIA", "AFT", "CrKey", "HbbTV", "Web0S", "Roku",
    ]) {
        "tv"
    } else if has(&["PlayStation", "Xbox", "Nintendo"]) {
        "console"
    } else if has(&["iPad", "Tablet", "Kindle", "Silk/"])
        || (os == "Android" && !has(&["Mobile", "Mobi/", "Opera Mini"]))
    {
        "tablet"
    } else if has(&["Mobile", "iPhone", "iPod", "Mobi/", "Opera Mini", "MIDP"])
        || ["Windows Phone", "KaiOS", "BlackBerry"].contains(&os)
    {
        "mobile"
    } else if os.is_empty() || !text.starts_with("Mozilla") && !text.starts_with("Opera") {
        "other"
    } else {
        "desktop"
    }
}

/// The model where the text names it: Apple's, and Android's before ` Build/` or the bracket.
fn model(text: &str) -> Option<&str> {
    if let Some(apple) = ["iPhone", "iPad", "iPod"].into_iter().find(|word| text.contains(&format!("({word}"))) {
        return Some(apple);
    }
    let android = behind(text, "Android")?;
    let inside = &android[..android.find(')')?];
    let whole = inside.split(" Build/").next()?;
    let part =
        whole.rsplit(';').map(str::trim).find(|part| !matches!(*part, "wv" | "U" | "") && !part.starts_with("rv:"))?;
    let is_language = part.len() == 5 && matches!(part.as_bytes()[2], b'-' | b'_');
    let is_model = inside.contains(';') && !is_language && !matches!(part, "Mobile" | "Tablet" | "K");
    is_model.then_some(part)
}
