//! Where a start happens.

use super::Plan;
use super::dice::Dice;

/// Lines of Python, and the folder that cannot be compared afterwards. Nothing can be made in those of the machine.
const PLACES: [(&str, Option<&str>); 13] = [
    ("os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')", None),
    ("os.mkdir('shut'); os.chdir('shut'); os.chmod('.', 0)", Some("shut")),
    ("os.mkdir('shut'); os.chdir('shut'); os.chmod('.', 0o100)", Some("shut")),
    ("os.mkdir('shut'); os.chdir('shut'); os.chmod('.', 0o444)", Some("shut")),
    ("os.mkdir('shut'); os.chdir('shut'); os.chmod('.', 0o555)", Some("shut")),
    (
        "os.makedirs('shut/in'); os.chdir('shut/in'); os.chmod('..', 0)",
        Some("shut"),
    ),
    (
        "os.makedirs('a/in'); os.chdir('a/in'); os.rename('../../a', '../../b')",
        None,
    ),
    (
        "os.makedirs('real/in'); os.symlink('real', 'link'); os.chdir('link/in'); os.environ['PWD'] = os.getcwd().replace('real', 'link')",
        None,
    ),
    (
        "os.makedirs('real/in'); os.symlink('real', 'link'); os.chdir('link/in'); os.environ['PWD'] = '/nosuch'",
        None,
    ),
    (
        "for n in range(40): os.mkdir('d' * 40); os.chdir('d' * 40)",
        Some("dddddddddddddddddddddddddddddddddddddddd"),
    ),
    ("os.mkdir(b'\\xff \\n'); os.chdir(b'\\xff \\n')", None),
    ("os.chdir('/proc/sys')", None),
    (
        "os.mkdir('moved'); os.chdir('moved'); os.rename('../moved', '../given'); os.rename('../given', '../moved')",
        None,
    ),
];

pub(super) fn choose(dice: &mut Dice, plan: &mut Plan) {
    if dice.chance(65) {
        return;
    }
    let (place, forget) = dice.pick(&PLACES);
    plan.place = Some(place);
    plan.forget = forget;
}
