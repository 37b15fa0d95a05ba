"""Secrets on command lines."""

import pytest

from proctor.redaction.recognizers.flags import SHAPES
from tests.redaction.recognizers.shaped import values

P = "Vq8mZ2" + "kLp0xR"
N = "f7Kq2mXw8Z" + "pT4vB6nR1sD3gH5j"


@pytest.mark.parametrize(
    "text",
    [
        "sshpass -p @@ ssh h",
        "sshpass -p'@@' ssh h",
        "mysql -u root -p@@ db",
        "mysqldump \\\n -u root \\\n -p@@ db",
        "curl -s -u alice:@@ https://x",
        "docker login -u a -p @@ r",
        "redis-cli -h x -a @@",
        "svn co --username a --password @@ u",
        "ldapsearch -x -w '@@' -b x",
        "openssl rsa -passin pass:@@ -in k",
        "net use Z: \\\\s\\d @@ /user:a",
        "7z x -p@@ a.7z",
        "sqlplus app/@@@db",
        "smbclient //s/x -U alice%@@",
        "rabbitmqctl add_user alice @@",
        "tool --db-password=@@",
        '["tool", "--password", "@@"]',
        "echo '@@' | sudo -S ls",
        "echo 'alice:@@' | chpasswd",
        "ssh-keygen -N '@@' -f k",
        "plink -pw @@ a@h",
        "htpasswd -b f alice @@",
        "xfreerdp /v:h /p:@@",
    ],
)
def test_passwords_on_command_lines(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize(
    "text",
    ["tool --token @@ run", "tool --api-key=@@", "fly auth login @@"],
)
def test_tokens_on_command_lines(text: str) -> None:
    assert values(SHAPES, text.replace("@@", N)) == [N]


@pytest.mark.parametrize(
    "text",
    [
        "mysql -u root -p shop",
        "sshpass -p $PASS ssh h",
        "sshpass -p <password> ssh h",
        'curl -u "$U:$P" u',
        "docker run -p 8080:80 x",
        "mkdir -p /var/lib/app2",
        "--password-file /run/secrets/p1",
        "ssh -p 2222 host",
        "-p, --password=PASSWORD  the password",
        'redis-cli -a "$REDIS_PASSWORD"',
        "data-sitekey='f7Kq2mXw8ZpT4vB6nR1s'",
        "echo done | tee log",
        "curl -u user:password https://x",
    ],
)
def test_other_options(text: str) -> None:
    assert values(SHAPES, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "aws ssm put-parameter --name /db --type SecureString --value '@@'",
        "az keyvault secret set --name db --value @@",
        "echo '@@' | kinit alice@CORP",
        "echo -n @@ | cryptsetup luksOpen /dev/sdb1 data",
        "printf '@@' | gcloud secrets create smtp --data-file=-",
        "keytool -importkeystore -srcstorepass @@",
        "PsExec.exe \\\\srv -u corp\\a -p @@ cmd",
        'sudo -S apt update <<< "@@"',
    ],
)
def test_values_for_commands_about_secrets(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize(
    "text",
    [
        "tool set --name color --value dark-blue-42",
        "echo hello42 | tee /tmp/x",
        "echo done2 | grep secret",
    ],
)
def test_values_for_other_commands(text: str) -> None:
    assert values(SHAPES, text) == []
