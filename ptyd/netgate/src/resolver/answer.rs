//! One query: judged, asked upstream, and its answer looked through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use agentsh_policy::Decision;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::limits::Admission;
use super::{Lookup, Resolver, Told};
use crate::address::{is_private, is_special};
use crate::own::Owner;

/// The most that goes into one of our datagrams: they stay on this machine.
const MOST: u16 = 4096;

/// How long a redirected name is good.
const REDIRECTED: u32 = 60;

/// So many answers are remembered, of so many records at most.
const MOST_TOLD: usize = 512;
const MOST_RECORDS: usize = 32;

/// What is said where the budget is used up.
const TOO_MUCH: &str = "the session asks for more names than any program needs";
const ODD: &str = "the name has characters that no name of a host or service has";
const INNER: &str = "the name has an address that no public name should have, and no rule says that it may";

/// What policy says of a name, copied out of the rules.
struct Judged {
    decision: Decision,
    rule: Option<String>,
    redirect: Option<(IpAddr, String)>,
}

/// An answer in the making.
struct Answer {
    code: ResponseCode,
    records: Vec<Record>,
    message: Option<&'static str>,
}

impl Answer {
    fn of(code: ResponseCode) -> Answer {
        Answer {
            code,
            records: Vec::new(),
            message: None,
        }
    }

    fn refused(message: &'static str) -> Answer {
        Answer {
            message: Some(message),
            ..Answer::of(ResponseCode::Refused)
        }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.records.iter().filter_map(address).collect()
    }
}

fn address(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(A(v4)) => Some(IpAddr::V4(*v4)),
        RData::AAAA(AAAA(v6)) => Some(IpAddr::V6(*v6).to_canonical()),
        _ => None,
    }
}

impl Resolver {
    /// The answer to one message; `None` for what is none to be answered.
    pub(super) fn answer(&self, bytes: &[u8], owner: &Owner, udp: bool) -> Option<Vec<u8>> {
        let request = Message::from_vec(bytes).ok()?;
        if request.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut reply = Message::response(request.metadata.id, request.metadata.op_code);
        reply.metadata.recursion_desired = request.metadata.recursion_desired;
        reply.metadata.recursion_available = true;
        let most = request
            .edns
            .as_ref()
            .map_or(512, |_| request.max_payload().clamp(512, MOST));
        if request.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(MOST);
            reply.set_edns(edns);
        }
        match (request.metadata.op_code, request.queries.as_slice()) {
            (OpCode::Query, [query]) if query.query_class() == DNSClass::IN => {
                reply.add_query(query.clone());
                let answer = self.look_up(query, owner);
                reply.metadata.response_code = answer.code;
                reply.add_answers(answer.records);
            }
            (OpCode::Query, _) => reply.metadata.response_code = ResponseCode::FormErr,
            _ => reply.metadata.response_code = ResponseCode::NotImp,
        }
        let whole = reply.to_vec().ok()?;
        match udp && whole.len() > usize::from(most) {
            true => reply.truncate().to_vec().ok(),
            false => Some(whole),
        }
    }

    /// The addresses of a name, for somebody who dials in the place of `owner`: judged, told and pinned as if it had
    /// asked itself.
    pub fn addresses(&self, name: &str, owner: &Owner) -> Vec<IpAddr> {
        let Ok(name) = Name::from_ascii(format!("{name}.")) else {
            return Vec::new();
        };
        let kinds = [RecordType::A, RecordType::AAAA].into_iter();
        kinds
            .flat_map(|kind| self.look_up(&Query::query(name.clone(), kind), owner).addresses())
            .collect()
    }

    fn look_up(&self, query: &Query, owner: &Owner) -> Answer {
        let name = query.name().to_lowercase().to_ascii();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let kind = query.query_type();
        let judged = self.judge(name, kind);
        let answer = match &judged.redirect {
            Some((to, _)) => self.redirected(query, name, *to),
            None if !is_plain(name) => Answer::refused(ODD),
            None if !judged.decision.passes() && judged.decision != Decision::Approve => {
                Answer::of(ResponseCode::Refused)
            }
            None => self.resolve(query, name),
        };
        self.court.told(&Lookup {
            owner,
            name,
            kind: kind.to_string(),
            decision: match judged.redirect {
                Some(_) => Decision::Redirect,
                None => judged.decision,
            },
            rule: judged
                .redirect
                .as_ref()
                .map_or(judged.rule.as_deref(), |(_, rule)| Some(rule)),
            passed: answer.code != ResponseCode::Refused && answer.message.is_none(),
            message: answer.message,
            redirect: judged.redirect.as_ref().map(|(to, _)| *to),
            code: answer.code.to_string(),
            addresses: &answer.addresses(),
        });
        answer
    }

    fn judge(&self, name: &str, kind: RecordType) -> Judged {
        let mut judged = Judged {
            decision: Decision::Deny,
            rule: None,
            redirect: None,
        };
        self.court.policy(&mut |policy| {
            let verdict = policy.lookup(name);
            judged.decision = verdict.decision;
            judged.rule = verdict.rule.map(str::to_owned);
            judged.redirect = policy
                .dns_redirect(name)
                .map(|redirect| (redirect.resolve_to, redirect.rule.to_string()));
        });
        if is_local(name) || kind == RecordType::PTR {
            // Answered from what is known here.
            judged.decision = Decision::Allow;
            judged.rule = None;
        }
        judged
    }

    fn redirected(&self, query: &Query, name: &str, to: IpAddr) -> Answer {
        self.pins.add(
            &Arc::from(name),
            to,
            Duration::from_secs(REDIRECTED.into()),
            Instant::now(),
        );
        addresses(query, [to])
    }

    fn resolve(&self, query: &Query, name: &str) -> Answer {
        if is_local(name) {
            return addresses(query, [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        if query.query_type() == RecordType::PTR {
            return self.reverse(query, name);
        }
        let Some(weight) = weight(query.query_type()) else {
            return Answer::of(ResponseCode::NoError);
        };
        let kind = u16::from(query.query_type());
        let mut answer = match self.limits.admit(name, kind, weight, Instant::now()) {
            Admission::No => return Answer::refused(TOO_MUCH),
            Admission::Again => match self.told_before(name, kind) {
                Some((code, records)) => Answer {
                    records,
                    ..Answer::of(code)
                },
                None => return Answer::refused(TOO_MUCH),
            },
            Admission::Goes => {
                let Some(reply) = self.upstream.ask(&spelled_alike(query)) else {
                    return Answer::of(ResponseCode::ServFail);
                };
                let mut answer = Answer::of(reply.metadata.response_code);
                answer.records = chain(query, reply.answers);
                self.remember(name, kind, &answer);
                answer
            }
        };
        answer
            .records
            .iter_mut()
            .filter(|record| record.name == *query.name())
            .for_each(|record| record.name = query.name().clone());
        self.look_through(name, &mut answer);
        answer
    }

    /// What was told of the name before.
    fn told_before(&self, name: &str, kind: u16) -> Option<Told> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(&(Box::from(name), kind)).cloned()
    }

    /// Addresses are what is asked for again and again.
    fn remember(&self, name: &str, kind: u16, answer: &Answer) {
        if weight(kind.into()) != Some(1.0) || answer.records.len() > MOST_RECORDS {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST_TOLD {
            told.clear();
        }
        told.insert((name.into(), kind), (answer.code, answer.records.clone()));
    }

    /// Leaves out addresses that the name must not have, and pins the others to it.
    fn look_through(&self, name: &str, answer: &mut Answer) {
        let found = answer.addresses();
        let may_have = |address: IpAddr| {
            let mut named = false;
            self.court
                .policy(&mut |policy| named = policy.name_may_mean(name, address));
            named || !is_special(address) || (!is_public(name) && is_private(address))
        };
        let refused: Vec<IpAddr> = found.into_iter().filter(|address| !may_have(*address)).collect();
        if !refused.is_empty() {
            answer
                .records
                .retain(|record| address(record).is_none_or(|address| !refused.contains(&address)));
            answer.message = Some(INNER);
        }
        let (name, now) = (Arc::from(name), Instant::now());
        for record in &answer.records {
            if let Some(address) = address(record) {
                self.pins
                    .add(&name, address, Duration::from_secs(record.ttl.into()), now);
            }
        }
    }

    /// The name of an address, if the session was told one: nobody outside is asked.
    fn reverse(&self, query: &Query, name: &str) -> Answer {
        let known = reversed(name).and_then(|address| self.pins.names(address, Instant::now()).into_iter().next());
        let Some(name) = known.and_then(|name| Name::from_ascii(format!("{name}.")).ok()) else {
            return Answer::of(ResponseCode::NXDomain);
        };
        let mut answer = Answer::of(ResponseCode::NoError);
        let data = RData::PTR(PTR(name));
        answer
            .records
            .push(Record::from_rdata(query.name().clone(), REDIRECTED, data));
        answer
    }
}

/// Places on the earth (RFC 1876) and targets of services (RFC 7553).
const LOC: RecordType = RecordType::Unknown(29);
const URI: RecordType = RecordType::Unknown(256);

/// What a question for records of this type costs: addresses, names, and data. Of others there are none: hints of
/// addresses, keys that hide a name from everybody on the way, signatures, and what carries whatever somebody likes.
fn weight(kind: RecordType) -> Option<f64> {
    Some(match kind {
        RecordType::A | RecordType::AAAA => 1.0,
        RecordType::CNAME
        | RecordType::MX
        | RecordType::NAPTR
        | RecordType::NS
        | RecordType::SOA
        | RecordType::SRV
        | URI => 2.0,
        RecordType::CAA
        | RecordType::CERT
        | RecordType::HINFO
        | RecordType::OPENPGPKEY
        | RecordType::SMIMEA
        | RecordType::SSHFP
        | RecordType::TLSA
        | RecordType::TXT
        | LOC => 4.0,
        _ => return None,
    })
}

/// The question as it goes out: how a name is written, letter by letter, would tell its server as much as the name.
fn spelled_alike(query: &Query) -> Query {
    Query::query(query.name().to_lowercase(), query.query_type())
}

/// Those of the addresses that were asked for.
fn addresses(query: &Query, all: impl IntoIterator<Item = IpAddr>) -> Answer {
    let mut answer = Answer::of(ResponseCode::NoError);
    for address in all {
        let data = match (query.query_type(), address) {
            (RecordType::A, IpAddr::V4(v4)) => RData::A(A(v4)),
            (RecordType::AAAA, IpAddr::V6(v6)) => RData::AAAA(AAAA(v6)),
            _ => continue,
        };
        answer
            .records
            .push(Record::from_rdata(query.name().clone(), REDIRECTED, data));
    }
    answer
}

/// The records that answer the question, by way of other names for its own; what else came along is left out.
fn chain(query: &Query, records: Vec<Record>) -> Vec<Record> {
    let mut names = vec![query.name().to_lowercase()];
    let mut kept = Vec::new();
    for record in records {
        if record.dns_class != DNSClass::IN || !names.contains(&record.name.to_lowercase()) {
            continue;
        }
        if let RData::CNAME(target) = &record.data {
            names.push(target.0.to_lowercase());
            kept.push(record);
        } else if record.record_type() == query.query_type() {
            kept.push(record);
        }
    }
    kept
}

/// Letters, digits, hyphens and underscores: a label may hold any byte (RFC 2181, section 11), and what reads it then
/// may take a dot or a zero byte in it for an end.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(plain)
}

/// RFC 6761: always this machine.
fn is_local(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a name is one of the whole internet's, and not of a network's own (RFC 6762, RFC 8375, and what is in use).
fn is_public(name: &str) -> bool {
    const OWN: &[&str] = &[
        "local",
        "internal",
        "intranet",
        "lan",
        "home",
        "corp",
        "private",
        "localdomain",
        "test",
    ];
    match name.rsplit_once('.') {
        Some((_, top)) => !OWN.contains(&top) && !name.ends_with(".home.arpa"),
        None => false,
    }
}

/// The address that a name below `in-addr.arpa` or `ip6.arpa` is about.
fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        let mut octets = [0; 4];
        let mut labels = labels.rsplit('.');
        for octet in &mut octets {
            *octet = labels.next()?.parse().ok()?;
        }
        return labels.next().is_none().then_some(IpAddr::from(octets));
    }
    let mut bits = 0u128;
    let mut count = 0;
    for label in name.strip_suffix(".ip6.arpa")?.rsplit('.') {
        let nibble = u128::from_str_radix(label, 16).ok().filter(|nibble| *nibble < 16)?;
        bits = bits.checked_shl(4)? | nibble;
        count += 1;
    }
    (count == 32).then_some(IpAddr::from(bits.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, data: RData) -> Result<Record, Box<dyn std::error::Error>> {
        Ok(Record::from_rdata(Name::from_ascii(name)?, 5, data))
    }

    #[test]
    fn only_what_the_question_leads_to_is_answered() -> Result<(), Box<dyn std::error::Error>> {
        let query = Query::query(Name::from_ascii("www.example.org.")?, RecordType::A);
        let alias = hickory_proto::rr::rdata::CNAME(Name::from_ascii("CDN.example.net.")?);
        let (one, two) = (
            RData::A(A(Ipv4Addr::new(203, 0, 113, 1))),
            RData::A(A(Ipv4Addr::new(203, 0, 113, 2))),
        );
        let records = vec![
            record("WWW.example.org.", RData::CNAME(alias))?,
            record("cdn.example.net.", one)?,
            record("allowed.example.com.", two)?,
        ];
        let kept = chain(&query, records);
        assert_eq!(
            kept.iter().filter_map(address).collect::<Vec<_>>(),
            [IpAddr::from([203, 0, 113, 1])]
        );
        Ok(())
    }

    #[test]
    fn data_is_answered_and_what_stands_for_addresses_is_not() -> Result<(), Box<dyn std::error::Error>> {
        for kind in ["SSHFP", "TLSA", "OPENPGPKEY", "CERT", "NAPTR", "TXT"] {
            assert!(weight(kind.parse()?).is_some(), "{kind}");
        }
        for number in [29, 256] {
            assert!(weight(RecordType::from(number)).is_some(), "{number}");
        }
        // SVCB, HTTPS, ANY, NULL, APL, a private one.
        for number in [64, 65, 255, 10, 42, 65_280] {
            assert!(weight(RecordType::from(number)).is_none(), "{number}");
        }
        let query = Query::query(Name::from_ascii("www.example.org.")?, URI);
        let data = RData::Unknown {
            code: URI,
            rdata: hickory_proto::rr::rdata::NULL::with(b"\0\x01\0\x01x".to_vec()),
        };
        assert_eq!(chain(&query, vec![record("www.example.org.", data)?]).len(), 1);
        Ok(())
    }

    #[test]
    fn addresses_are_read_from_their_reverse_names() {
        assert_eq!(
            reversed("7.113.0.203.in-addr.arpa"),
            Some(IpAddr::from([203, 0, 113, 7]))
        );
        for wrong in [
            "7.113.0.203",
            "1.2.3.in-addr.arpa",
            "1.2.3.4.5.in-addr.arpa",
            "x.2.3.4.in-addr.arpa",
            "1.ip6.arpa",
        ] {
            assert_eq!(reversed(wrong), None, "{wrong}");
        }
        let six = format!("{}8.b.d.0.1.0.0.2.ip6.arpa", "1.".to_owned() + &"0.".repeat(23));
        assert_eq!(reversed(&six), "2001:db8::1".parse().ok());
    }

    #[test]
    fn names_of_a_network_of_ones_own_are_not_public() {
        assert!(is_public("example.org") && is_public("a.b.example.co.uk"));
        for name in ["db", "db.internal", "nas.local", "x.home.arpa", "build.corp"] {
            assert!(!is_public(name), "{name}");
        }
    }
}
