//! Thirty pieces of everyday work, each a text for the shell. They run one after another in one workspace.

/// What an agent does all day: name and text. Each must end with 0, without a question to anybody.
pub const TASKS: [(&str, &str); 35] = [
    // Rust
    (
        "rust: a new package, built",
        "cargo new -q --vcs none rs && cd rs && cargo build -q --offline && ./target/debug/rs | grep -q Hello",
    ),
    (
        "rust: tests",
        "cd rs && printf '#[test]\\nfn adds() { assert_eq!(1 + 1, 2); }\\n' >> src/main.rs && cargo test -q --offline",
    ),
    (
        "rust: a workspace with a library of its own",
        "mkdir ws && cd ws && printf '[workspace]\\nmembers = [\"app\", \"lib\"]\\nresolver = \"2\"\\n' > Cargo.toml && cargo new -q --vcs none --lib lib && cargo new -q --vcs none app && printf 'lib = { path = \"../lib\" }\\n' >> app/Cargo.toml && cargo build -q --offline",
    ),
    (
        "rust: a build script",
        "cd rs && printf 'fn main() { println!(\"cargo::rustc-env=MADE=yes\"); }\\n' > build.rs && printf 'fn main() { println!(env!(\"MADE\")); }\\n' > src/main.rs && cargo run -q --offline | grep -q yes",
    ),
    (
        "rust: cleaned and checked again",
        "cd rs && cargo clean -q && cargo check -q --offline",
    ),
    // C
    (
        "c: make",
        "mkdir c && cd c && printf 'int main(void) { return 0; }\\n' > main.c && printf 'main: main.o\\n\\tcc -o $@ $^\\nclean:\\n\\trm -f main main.o\\n' > Makefile && make -s && ./main",
    ),
    (
        "c: make clean and again, in parallel",
        "cd c && make -s clean && make -s -j2 && test -x main",
    ),
    (
        "c: libraries",
        "cd c && printf 'int f(void) { return 7; }\\n' > f.c && gcc -shared -fPIC -o libf.so f.c && gcc -c f.c && ar rcs libf.a f.o && printf 'int f(void);int main(void) { return f() - 7; }\\n' > g.c && gcc g.c -L. -lf -o g && LD_LIBRARY_PATH=. ./g && gcc g.c libf.a -o h && ./h",
    ),
    (
        "c: a configure script",
        "cd c && printf 'echo \"int main(void){return 0;}\" > conftest.c\\ncc conftest.c -o conftest && ./conftest && echo yes > config.log\\nrm -f conftest*\\n' > configure && sh ./configure && grep -q yes config.log",
    ),
    (
        "c: a debugger",
        "cd c && gcc -g g.c libf.a -o g && gdb -q -batch -ex 'break f' -ex run -ex bt ./g > trace 2>/dev/null && grep -q '#0' trace",
    ),
    // Python
    (
        "python: a venv, whose links leave the workspace",
        "mkdir py && cd py && /usr/bin/python3 -m venv --without-pip venv && . venv/bin/activate && python -c 'import sys; assert sys.prefix.endswith(\"/venv\")'",
    ),
    (
        "python: unit tests",
        "cd py && printf 'import unittest\\nclass T(unittest.TestCase):\\n    def test(self): self.assertTrue(True)\\n' > test_it.py && /usr/bin/python3 -m unittest -q",
    ),
    (
        "python: compiled files and caches",
        "cd py && /usr/bin/python3 -m compileall -q . && find . -name __pycache__ -prune -exec rm -rf {} +",
    ),
    (
        "python: a server of its own",
        "cd py && /usr/bin/python3 -c 'import http.server, threading, urllib.request as u; s = http.server.HTTPServer((\"127.0.0.1\", 0), http.server.SimpleHTTPRequestHandler); threading.Thread(target=s.serve_forever, daemon=True).start(); assert u.urlopen(f\"http://127.0.0.1:{s.server_port}/\").status == 200' 2>/dev/null",
    ),
    (
        "python: a pool of processes",
        "/usr/bin/python3 -c 'import multiprocessing as m; p = m.Pool(3); assert p.map(abs, range(-9, 0)) == list(range(9, 0, -1))'",
    ),
    (
        "python: a package from an index",
        "cd py && mkdir -p simple/seven && /usr/bin/python3 -c 'import zipfile as z; w = z.ZipFile(\"simple/seven/seven-1.0-py3-none-any.whl\", \"w\"); d = \"seven-1.0.dist-info/\"; w.writestr(\"seven.py\", \"N = 7\"); w.writestr(d + \"METADATA\", \"Metadata-Version: 2.1\\nName: seven\\nVersion: 1.0\\n\"); w.writestr(d + \"WHEEL\", \"Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n\"); w.writestr(d + \"RECORD\", \"\"); w.close()' && { /usr/bin/python3 -u -m http.server --bind 127.0.0.1 0 > served 2>&1 & p=$!; } && until grep -qo 'port [0-9]*' served; do kill -0 $p || exit 1; done; n=$(grep -o 'port [0-9]*' served | cut -c6-) && /usr/bin/python3 -m venv pipped && pipped/bin/pip install -q --disable-pip-version-check --index-url http://127.0.0.1:$n/simple seven && pipped/bin/python -c 'import seven; assert seven.N == 7'; r=$?; kill $p; exit $r",
    ),
    // Node
    (
        "node: a package with scripts",
        "mkdir js && cd js && npm init -y >/dev/null 2>&1 && npm pkg set scripts.test='node -e \"process.exit(0)\"' && npm test >/dev/null 2>&1",
    ),
    (
        "node: a dependency from a folder",
        "mkdir dep && cd dep && npm init -y >/dev/null 2>&1 && echo 'module.exports = 7' > index.js && cd ../js && npm install --offline --no-audit --no-fund ../dep >/dev/null 2>&1 && node -e 'if (require(\"dep\") !== 7) process.exit(1)'",
    ),
    (
        "node: node_modules removed",
        "cd js && rm -rf node_modules && test ! -e node_modules",
    ),
    (
        "node: workers and files",
        "node -e 'const {Worker} = require(\"worker_threads\"); new Worker(\"require(\\\"fs\\\").writeFileSync(\\\"made\\\", \\\"x\\\")\", {eval: true}).on(\"exit\", c => process.exit(c))' && test -s made",
    ),
    // Go
    (
        "go: a module, built",
        "mkdir go && cd go && go mod init example.invalid/x 2>/dev/null && printf 'package main\\nimport \"fmt\"\\nfunc main() { fmt.Println(Seven()) }\\nfunc Seven() int { return 7 }\\n' > main.go && go build -o x . && ./x | grep -q 7",
    ),
    (
        "go: tests and vet",
        "cd go && printf 'package main\\nimport \"testing\"\\nfunc TestSeven(t *testing.T) { if Seven() != 7 { t.Fail() } }\\n' > main_test.go && go test ./... >/dev/null && go vet ./...",
    ),
    // Java
    (
        "java: compiled and run",
        "mkdir java && cd java && printf 'public class A { public static void main(String[] a) { System.out.println(7); } }\\n' > A.java && javac A.java && java A | grep -q 7",
    ),
    (
        "java: an archive",
        "cd java && jar cfe a.jar A A.class && java -jar a.jar | grep -q 7",
    ),
    // Git
    (
        "git: branches, merges, stashes",
        "git init -q -b main repo && cd repo && echo 1 > a && git add a && git commit -qm one && git switch -qc side && echo 2 > b && git add b && git commit -qm two && git switch -q main && git merge -q --no-edit side && echo 3 > a && git stash -q && git stash pop -q && git commit -qam three && git rebase -q side 2>/dev/null; git log --oneline | grep -q two",
    ),
    (
        "git: copies of a whole repository",
        "cp -a repo copied && mkdir unpacked && tar cf - -C repo . | tar xf - -C unpacked && touch copied/.git copied/.git/hooks copied/.git/HEAD && git -C copied fsck 2>/dev/null && [ -z \"$(git -C unpacked status --short)\" ] && rm -rf copied unpacked",
    ),
    (
        "git: clone, remote, push, fetch",
        "git clone -q --bare repo bare.git && git clone -q bare.git copy && cd copy && echo 4 > c && git add c && git commit -qm four && git push -q origin HEAD && git remote add other ../repo && git fetch -q other && git config --local user.name Somebody",
    ),
    (
        "git: worktrees",
        "cd repo && git worktree add -q ../tree -b tree && cd ../tree && echo 5 > d && git add d && git commit -qm five && cd ../repo && git worktree remove --force ../tree",
    ),
    (
        "git: housekeeping",
        "cd repo && git gc -q && git fsck --no-progress >/dev/null 2>&1 && git status --short >/dev/null && ls .git/hooks >/dev/null",
    ),
    (
        "git: an alias, a pager and a diff of words",
        "cd repo && git config alias.last 'log -1 --oneline' && git last >/dev/null && GIT_PAGER=cat git --paginate log >/dev/null && git diff --word-diff HEAD~1 >/dev/null && git bisect start HEAD HEAD~1 >/dev/null && git bisect reset >/dev/null 2>&1 && git submodule status && git for-each-ref >/dev/null",
    ),
    // The shell
    (
        "shell: nowhere, temporary files, a linked folder",
        "echo x > /dev/null && f=$(mktemp) && echo x > $f && rm $f && d=$(mktemp -d) && ln -s $d linked && cd linked && echo x > y && test -s $PWD/y",
    ),
    (
        "shell: pipelines over many files",
        "mkdir many && for i in $(seq 200); do echo $i > many/$i; done && grep -rl 7 many | sort | xargs sed -i s/7/seven/ && tar czf many.tgz many && rm -r many && tar xzf many.tgz && find many -type f | wc -l | grep -q 200",
    ),
    (
        "shell: a server in the background, found and ended",
        "/usr/bin/python3 -m http.server --bind 127.0.0.1 0 >/dev/null 2>&1 & p=$!; until ss -ltnp 2>/dev/null | grep -q pid=$p; do kill -0 $p || exit 1; done; kill $p; wait $p; test $? = 143",
    ),
    (
        "shell: other users' eyes",
        "if [ $(id -u) = 0 ]; then su nobody -s /bin/sh -c 'exec sleep 99' & sleep 0.3; pkill -u nobody sleep; wait; fi; id >/dev/null && getent passwd root >/dev/null",
    ),
    (
        "shell: packages",
        "apt-cache policy bash >/dev/null && dpkg -l bash >/dev/null",
    ),
];
