"""Files and hosts of one command."""

import shlex

import pytest

from proctor.protocols.shell.effects import host_of, hosts, writes


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("ls a", []),
        ("rm -rf a b", ["a", "b"]),
        ("mkdir -p -m 700 a", ["a"]),
        ("touch -d now a", ["a"]),
        ("truncate -s 0 a", ["a"]),
        ("tee -a a b", ["a", "b"]),
        ("chmod -R 755 a b", ["a", "b"]),
        ("chown --reference=x a", ["a"]),
        ("cp a b c", ["c"]),
        ("cp -t c a b", ["c"]),
        ("cp a", []),
        ("mv a b", ["a", "b"]),
        ("mv -t c a", ["a", "c"]),
        ("ln -s a b", ["b"]),
        ("install -m 755 a /usr/bin/b", ["/usr/bin/b"]),
        ("install -d a b", ["a", "b"]),
        ("scp a host:/x", []),
        ("scp host:/x b", ["b"]),
        ("rsync -a a/ b/", ["b/"]),
        ("dd if=a of=b bs=1", ["b"]),
        ("sed -i s/a/b/ x y", ["x", "y"]),
        ("sed -i.bak -e s/a/b/ x", ["x"]),
        ("sed -i '' s/a/b/ x", ["x"]),
        ("sed s/a/b/ x", []),
        ("perl -pi -e s/a/b/ x", ["x"]),
        ("perl x.pl", []),
        ("tar xzf a.tgz", ["."]),
        ("tar -xf a.tgz -C /opt", ["/opt"]),
        ("tar czf a.tgz b", ["a.tgz"]),
        ("tar tf a.tgz", []),
        ("unzip a.zip -d b", ["b"]),
        ("sort -o a b", ["a"]),
        ("curl -o a https://x.test", ["a"]),
        ("curl -o - https://x.test", []),
        ("wget -O a https://x.test", ["a"]),
        ("find a b -name x -delete", ["a", "b"]),
        ("find . -fprint a", ["a"]),
        ("find a -name x", []),
        ("git clone https://x.test/a b", ["b"]),
        ("git worktree add ../b", ["../b"]),
        ("git status", []),
    ],
)
def test_writes(line: str, paths: list[str]) -> None:
    assert writes(shlex.split(line)) == paths


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("curl -s https://User@Example.test:8/x", ["example.test"]),
        ("curl -X POST -d a example.test/x", ["example.test"]),
        ("wget http://a.test http://b.test", ["a.test", "b.test"]),
        ("git clone https://a.test/x", ["a.test"]),
        ("git clone git@a.test:x/y", ["a.test"]),
        ("ssh -p 22 alice@A.test ls", ["a.test"]),
        ("scp a alice@a.test:/x", ["a.test"]),
        ("rsync -a a/ a.test:/x", ["a.test"]),
        ("nc -z a.test 80", ["a.test"]),
        ("echo https://a.test", []),
        ("curl 'http://[::1'", []),
    ],
)
def test_hosts(line: str, found: list[str]) -> None:
    assert hosts(shlex.split(line)) == found


def test_host_of() -> None:
    assert host_of("https://[::1]:8/x") == "::1"
    assert host_of("no address") == ""
    assert host_of("/etc/x") == ""
