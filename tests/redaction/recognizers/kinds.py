# ruff: noqa: E501, SIM905, S608 - one line for each kind
"""Kinds of secrets, and of what looks like them, made from a seed so that none stands here.

Each kind is a template and a maker of values. Kinds in `HELD` were never looked at while shapes
were written; they say how well shapes do on what they do not know.
"""

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

LOWER: Final = string.ascii_lowercase
UPPER: Final = string.ascii_uppercase
DIGITS: Final = string.digits
ALNUM: Final = string.ascii_letters + DIGITS
HEX: Final = "0123456789abcdef"
URLSAFE: Final = ALNUM + "-_"
WORDS: Final = (
    "river copper window lantern orbit maple falcon velvet harbor candle meadow pepper".split()
)


class Case(NamedTuple):
    """A text, and what in it must not pass (none where it looks like a secret only)."""

    kind: str
    text: str
    secret: str | None


def noise(rng: random.Random, size: int, alphabet: str = ALNUM) -> str:
    """Characters at random, with a digit and a letter among them where the alphabet has both."""
    while True:
        made = "".join(rng.choices(alphabet, k=size))
        if (not set(alphabet) & set(DIGITS) or set(made) & set(DIGITS)) and (
            not set(alphabet) & set(string.ascii_letters) or set(made) & set(string.ascii_letters)
        ):
            return made


def b64(rng: random.Random, size: int) -> str:
    """Base64 of random bytes."""
    return base64.b64encode(rng.randbytes(size)).decode()


def password(rng: random.Random) -> str:
    """A password of one of the ways people and programs make them."""
    makers: list[Callable[[], str]] = [
        lambda: noise(rng, rng.randint(10, 18)),
        lambda: noise(rng, 8, LOWER) + "-" + noise(rng, 6) + rng.choice("!#%"),
        lambda: rng.choice(WORDS).title() + str(rng.randint(1000, 9999)) + rng.choice("!?$#"),
        lambda: noise(rng, 12, ALNUM + "!#%*+-_"),
        lambda: noise(rng, 3, UPPER) + noise(rng, 4, DIGITS) + noise(rng, 5, LOWER) + "!",
    ]
    return rng.choice(makers)()


def _pem(rng: random.Random, label: str, lines: int = 8) -> str:
    body = "\n".join(b64(rng, 48) for _ in range(lines))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----"


def _jwt(rng: random.Random) -> str:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part({'sub': str(rng.randint(1, 10**9)), 'exp': 1})}.{noise(rng, 43, URLSAFE)}"


def _aws(rng: random.Random) -> tuple[str, str]:
    return "AKIA" + noise(rng, 16, UPPER + "234567"), noise(rng, 40, ALNUM + "+/")


def _p(template: str) -> Callable[[random.Random], tuple[str, str]]:
    def make(rng: random.Random) -> tuple[str, str]:
        value = password(rng)
        return template.replace("@@", value), value

    return make


def _t(
    template: str, size: int, alphabet: str = ALNUM, prefix: str = ""
) -> Callable[[random.Random], tuple[str, str]]:
    def make(rng: random.Random) -> tuple[str, str]:
        value = prefix + noise(rng, size, alphabet)
        return template.replace("@@", value), value

    return make


def _basic(rng: random.Random) -> str:
    return base64.b64encode(f"deploy:{password(rng)}".encode()).decode()


def _of(
    template: str, value: Callable[[random.Random], str]
) -> Callable[[random.Random], tuple[str, str]]:
    def make(rng: random.Random) -> tuple[str, str]:
        made = value(rng)
        return template.replace("@@", made), made

    return make


def _csv(rng: random.Random) -> tuple[str, str]:
    key, secret = _aws(rng)
    return f"Access key ID,Secret access key\r\n{key},{secret}\r\n", secret


def _csv_people(rng: random.Random) -> tuple[str, str]:
    one, two = password(rng), password(rng)
    return f"id,username,password,role\n1,alice,{one},admin\n2,bob,{two},user\n", two


def _markdown(rng: random.Random) -> tuple[str, str]:
    value = password(rng)
    return f"| host | user | password |\n|---|---|---|\n| db1 | app | {value} |\n", value


def _ppk(rng: random.Random) -> tuple[str, str]:
    lines = "\n".join(b64(rng, 48) for _ in range(3))
    mac = noise(rng, 64, HEX)
    text = f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPublic-Lines: 1\nAAAAC3Nz\nPrivate-Lines: 3\n{lines}\nPrivate-MAC: {mac}\n"
    return text, lines


def _shadow(rng: random.Random) -> tuple[str, str]:
    value = f"$6${noise(rng, 16)}${noise(rng, 86, ALNUM + './')}"
    return f"root:{value}:19000:0:99999:7:::", value


def _bcrypt(rng: random.Random) -> tuple[str, str]:
    value = f"$2b$12${noise(rng, 53, ALNUM + './')}"
    return f"alice:{value}", value


def _argon(rng: random.Random) -> tuple[str, str]:
    value = f"$argon2id$v=19$m=65536,t=3,p=4${noise(rng, 22)}${noise(rng, 43)}"
    return f"hash = '{value}'", value


def _django(rng: random.Random) -> tuple[str, str]:
    value = f"pbkdf2_sha256$600000${noise(rng, 22)}${b64(rng, 32)}"
    return f"INSERT INTO auth_user VALUES (1, '{value}')", value


def _cut_pem(rng: random.Random) -> tuple[str, str]:
    text = _pem(rng, "RSA PRIVATE KEY").partition("-----END")[0].rstrip()
    return f"key:\n{text}\n", text


def _json_pem(rng: random.Random) -> tuple[str, str]:
    text = _pem(rng, "PRIVATE KEY").replace("\n", "\\n")
    return json.dumps({"kind": "service"})[:-1] + f', "private_key": "{text}\\n"}}', text


def _jwk(rng: random.Random) -> tuple[str, str]:
    value = noise(rng, 43, URLSAFE)
    return json.dumps(
        {"kty": "EC", "crv": "P-256", "x": noise(rng, 43), "y": noise(rng, 43), "d": value}
    ), value


def _kubeconfig(rng: random.Random) -> tuple[str, str]:
    value = base64.b64encode(_pem(rng, "EC PRIVATE KEY", 3).encode()).decode()
    return f"users:\n- name: a\n  user:\n    client-key-data: {value}\n", value


def _secretsdump(rng: random.Random) -> tuple[str, str]:
    value = noise(rng, 32, HEX) + ":" + noise(rng, 32, HEX)
    return f"alice:1001:{value}:::", value


def _salt(rng: random.Random) -> tuple[str, str]:
    value = noise(rng, 64, ALNUM + "!@#%^&*()-_[]{}~+=,.;:/?| ")
    return f"define( 'SECURE_AUTH_KEY',  '{value}' );", value


def _phrase(rng: random.Random) -> tuple[str, str]:
    value = " ".join(rng.choices(WORDS, k=12))
    return f"seed phrase: {value}\n", value


def _diceware(rng: random.Random) -> tuple[str, str]:
    value = "-".join(rng.sample(WORDS, 5))
    return f'passphrase: "{value}"', value


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


KINDS: Final[dict[str, Callable[[random.Random], tuple[str, str]]]] = {
    "env password": _p("DB_HOST=db1\nDB_PASSWORD=@@\nDB_NAME=shop\n"),
    "env quoted": _p('export REDIS_PASSWORD="@@"\n'),
    "yaml": _p("database:\n  username: app\n  password: @@\n  port: 5432\n"),
    "yaml quoted": _p("smtp:\n  pass: '@@'\n"),
    "json": _p('{"host": "db", "password": "@@", "port": 1}'),
    "json in json": _p('{"config": "{\\"password\\": \\"@@\\"}"}'),
    "toml": _p('[db]\npassword = "@@"\n'),
    "ini": _p("[client]\nuser=root\npassword=@@\n"),
    "properties": _p("spring.datasource.password=@@\nspring.datasource.url=jdbc:h2:mem\n"),
    "xml element": _p("<server><id>x</id><password>@@</password></server>"),
    "xml attribute": _p('<add key="SmtpPassword" value="@@" />'),
    "xml entry": _p('<entry key="password">@@</entry>'),
    "php define": _p("define('DB_PASSWORD', '@@');"),
    "php array": _p("'password' => '@@',"),
    "ruby hash": _p("  password: '@@', # local\n"),
    "java setter": _p('dataSource.setPassword("@@");'),
    "java put": _p('props.put("password", "@@");'),
    "go literal": _p('cfg := Config{User: "app", Password: "@@"}'),
    "go const": _p('const dbPassword = "@@"'),
    "rust typed": _p('let password: &str = "@@";'),
    "typescript": _p('private readonly password: string = "@@";'),
    "python default": _p('def connect(user: str = "app", password: str = "@@") -> None:'),
    "python call": _p('psycopg.connect(host="db", password="@@")'),
    "python environ": _p('os.environ["SMTP_PASSWORD"] = "@@"'),
    "python getenv default": _p('os.getenv("DB_PASSWORD", "@@")'),
    "csharp connection": _p('"Server=db;Database=shop;User Id=app;Password=@@;Encrypt=true"'),
    "odbc pwd": _p("DRIVER={ODBC};SERVER=db;UID=app;PWD=@@;"),
    "jdbc query": _p("jdbc:postgresql://db:5432/shop?user=app&password=@@&ssl=true"),
    "powershell": _p('$Password = ConvertTo-SecureString "@@" -AsPlainText -Force'),
    "terraform": _p('variable "db_password" {\n  default = "@@"\n}'),
    "terraform attribute": _p('  master_password = "@@"\n'),
    "helm set": _p("helm install db chart --set auth.password=@@"),
    "k8s env": _p("env:\n- name: DB_PASSWORD\n  value: @@\n"),
    "k8s env json": _p('{"name": "DB_PASSWORD", "value": "@@"}'),
    "docker -e": _p("docker run -e POSTGRES_PASSWORD=@@ -p 5432:5432 postgres"),
    "dockerfile": _p("ENV MYSQL_ROOT_PASSWORD @@\n"),
    "compose": _p("    environment:\n      - MYSQL_ROOT_PASSWORD=@@\n"),
    "mysql -p": _p("mysql -h db1 -u root -p@@ shop"),
    "mysql --password": _p("mysqldump --user=root --password=@@ shop > d.sql"),
    "psql env": _p("PGPASSWORD=@@ psql -h db -U app"),
    "sshpass": _p("sshpass -p @@ ssh root@10.1.2.3"),
    "sshpass quoted": _p("sshpass -p '@@' scp a b:"),
    "curl -u": _p("curl -s -u alice:@@ https://ci.internal/job"),
    "docker login": _p("docker login -u alice -p @@ registry.internal"),
    "redis-cli": _p("redis-cli -h cache -a @@ ping"),
    "wget": _p("wget --http-user=bob --http-password=@@ https://x.internal/f"),
    "openssl": _p("openssl rsa -in k.pem -passin pass:@@ -out o.pem"),
    "net use": _p("net use Z: \\\\srv\\share @@ /user:CORP\\alice"),
    "ldapsearch": _p("ldapsearch -x -D cn=admin -w @@ -b dc=corp"),
    "htpasswd": _p("htpasswd -b /etc/nginx/.htpasswd alice @@"),
    "chpasswd": _p("echo 'alice:@@' | chpasswd"),
    "sudo -S": _p("echo @@ | sudo -S apt-get update"),
    "7z": _p("7z a -p@@ out.7z dir"),
    "keytool": _p("keytool -list -keystore k.jks -storepass @@"),
    "sqlcmd": _p("sqlcmd -S db -U sa -P @@ -Q 'select 1'"),
    "mongosh": _p("mongosh --host db -u root -p @@ --authenticationDatabase admin"),
    "kubectl literal": _p("kubectl create secret generic db --from-literal=password=@@"),
    "az login": _p("az login --service-principal -u http://sp -p @@ --tenant t"),
    "pgpass": _p("db.internal:5432:shop:app:@@\n"),
    "netrc": _p("machine api.internal\n  login alice\n  password @@\n"),
    "url postgres": _p("postgresql://app:@@@db.internal:5432/shop"),
    "url amqp": _p("amqp://svc:@@@mq:5672/vhost"),
    "url redis": _p("rediss://default:@@@cache.internal:6380/0"),
    "url ftp": _p("ftp://alice:@@@files.internal/pub"),
    "url smtp": _p("smtps://mailer%40corp:@@@smtp.internal:465"),
    "go dsn": _p('db, err := sql.Open("mysql", "app:@@@tcp(db:3306)/shop")'),
    "sql identified": _p("CREATE USER 'app'@'%' IDENTIFIED BY '@@';"),
    "sql role": _p("ALTER ROLE app WITH LOGIN PASSWORD '@@';"),
    "requests auth": _p('requests.get(url, auth=("alice", "@@"))'),
    "network credential": _p('new NetworkCredential("alice", "@@")'),
    "redis.conf": _p("requirepass @@\nport 6379\n"),
    "cisco": _p("username admin privilege 15 secret 0 @@\n"),
    "wifi": _p('network={\n ssid="home"\n psk="@@"\n}'),
    "chap": _p(': PSK "@@"'),
    "prose english": _p("The password is @@, please change it."),
    "prose for": _p("hey, the password for the staging database is @@"),
    "prose german": _p("Das Passwort lautet @@ und gilt ab morgen"),
    "prose german colon": _p("Passwort: @@"),
    "prose french": _p("Le mot de passe est @@"),
    "prose spanish": _p("la contraseña es: @@"),
    "prose portuguese": _p("a senha é @@"),
    "prose pw": _p("pw: @@"),
    "prose quoted": _p('log in with user alice and password "@@"'),
    "prose backtick": _p("Password changed to `@@`."),
    "prose bold": _p("**Password:** @@"),
    "prose login": _p("login: alice / @@"),
    "csv aws": _csv,
    "csv people": _csv_people,
    "markdown table": _markdown,
    "ppk": _ppk,
    "shadow": _shadow,
    "bcrypt": _bcrypt,
    "argon2": _argon,
    "django hash": _django,
    "pem": _of("-\n@@\n", lambda rng: _pem(rng, "RSA PRIVATE KEY")),
    "pem openssh": _of("@@", lambda rng: _pem(rng, "OPENSSH PRIVATE KEY")),
    "pem cut": _cut_pem,
    "pem json": _json_pem,
    "pgp": _of("@@", lambda rng: _pem(rng, "PGP PRIVATE KEY BLOCK")),
    "jwk": _jwk,
    "kubeconfig": _kubeconfig,
    "secretsdump": _secretsdump,
    "wordpress salt": _salt,
    "seed phrase": _phrase,
    "diceware": _diceware,
    "age": _t("@@", 58, UPPER + DIGITS, "AGE-SECRET-KEY-1"),
    "wireguard": _of(
        "[Interface]\nPrivateKey = @@\nAddress = 10.0.0.1/24\n", lambda rng: b64(rng, 32)
    ),
    "jwt": _of("token: @@", _jwt),
    "jwt bare": _of("got @@ from the server", _jwt),
    "basic header": _of("Authorization: Basic @@", _basic),
    "bearer": _t("curl -H 'Authorization: Bearer @@'", 40, URLSAFE),
    "token header": _t("Authorization: token @@", 40, HEX),
    "x-api-key": _t("X-API-Key: @@", 32),
    "api key hex": _t('api_key = "@@"', 32, HEX),
    "api key uuid": _of("API_KEY=@@", _uuid),
    "secret 40 hex": _t("GITHUB_WEBHOOK_SECRET=@@", 40, HEX),
    "prose token hex": _t("here's the access token for the bot: @@", 40, HEX),
    "prose api key": _t("use @@ as the API key", 32),
    "prose key next": _t("API key (staging) → @@", 36),
    "cookie": _t("Cookie: theme=dark; sessionid=@@; lang=en", 32, LOWER + DIGITS),
    "set-cookie": _t("Set-Cookie: connect.sid=@@; Path=/; HttpOnly", 40, URLSAFE),
    "docker auth": _of('{"auths":{"r.internal":{"auth":"@@"}}}', _basic),
    "npmrc": _t("//registry.internal/:_authToken=@@", 36, ALNUM, "npm_"),
    "pypirc": _t(
        "[pypi]\nusername = __token__\npassword = @@\n", 150, URLSAFE, "pypi-AgEIcHlwaS5vcmc"
    ),
    "azure storage": _of(
        "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=@@;EndpointSuffix=core.windows.net",
        lambda rng: b64(rng, 64),
    ),
    "azure bus": _of(
        "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=@@",
        lambda rng: b64(rng, 32),
    ),
    "azure sas": _t(
        "https://x.blob.core.windows.net/c/b?sv=2022-11-02&se=2027-01-01&sig=@@", 46, ALNUM
    ),
    "s3 presigned": _t(
        "https://b.s3.amazonaws.com/k?X-Amz-Date=20260101T000000Z&X-Amz-Signature=@@", 64, HEX
    ),
    "slack hook": _t("https://hooks.slack.com/services/T01ABCDEF23/B04GHIJKL56/@@", 24),
    "discord hook": _t("https://discord.com/api/webhooks/112233445566778899/@@", 68, URLSAFE),
    "aws id": _t("the key @@ is old", 16, UPPER + "234567", "AKIA"),
    "aws secret yaml": _t("aws:\n  secret_access_key: @@\n", 40, ALNUM + "+/"),
    "service live": _t("ACME=acme_live_@@", 28),
    "service pat": _t("x = 'zeta_pat_@@'", 36),
    "service sk": _t("client = Client('sk_prod_@@')", 32),
    "service dotted": _t("token 'acme.sk.@@'", 40),
    "github": _t("git clone https://@@@github.com/a/b", 36, ALNUM, "ghp_"),
    "gitlab": _t("glab auth login --token @@", 20, ALNUM, "glpat-"),
    "slack": _t("slack = @@", 24, ALNUM, "xoxb-123456789012-123456789012-"),
    "openai": _t("key @@", 48, ALNUM, "sk-proj-"),
    "google": _t("maps @@", 35, ALNUM, "AIza"),
    "huggingface": _t("login(@@)", 34, ALNUM, "hf_"),
    "bitcoin": _t(
        "xprv @@", 107, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", "xprv"
    ),
    "oauth json": _t('{"access_token":"@@","token_type":"bearer","expires_in":3600}', 48, URLSAFE),
    "refresh": _t('"refresh_token": "@@"', 64),
    "client secret": _t("client_id=web&client_secret=@@&grant_type=x", 40, URLSAFE),
    "laravel key": _of("APP_KEY=base64:@@", lambda rng: b64(rng, 32)),
    "django secret": _t("SECRET_KEY = 'django-insecure-@@'", 50, LOWER + DIGITS + "!@#$%^&*(-_=+)"),
    "rails": _t("production:\n  secret_key_base: @@\n", 128, HEX),
    "flask": _of("app.secret_key = b'@@'", lambda rng: noise(rng, 24, HEX)),
    "vault cli": _t("vault login @@", 92, URLSAFE, "hvs."),
    "aws cli": _t("aws configure set aws_secret_access_key @@", 40, ALNUM + "+/"),
    "kubectl token": _t("kubectl config set-credentials ci --token=@@", 64),
    "recovery": _of(
        "Recovery codes:\n  @@\n",
        lambda rng: f"{noise(rng, 5, LOWER + DIGITS)}-{noise(rng, 5, LOWER + DIGITS)}",
    ),
    "gmail app": _of(
        'SMTP_PASSWORD="@@"',
        lambda rng: " ".join("".join(rng.choices(LOWER, k=4)) for _ in range(4)),
    ),
    "totp": _t("otpauth://totp/x?secret=@@&issuer=y", 32, UPPER + "234567"),
    "mailchimp": _of("mc @@", lambda rng: noise(rng, 32, HEX) + "-us12"),
    "telegram": _of("bot @@", lambda rng: noise(rng, 10, DIGITS) + ":AA" + noise(rng, 33, URLSAFE)),
}
HELD: Final = frozenset(list(KINDS)[1::3])


def positives(seed: int) -> Iterator[Case]:
    """One case of each kind."""
    for kind, make in KINDS.items():
        rng = random.Random(f"{seed}:{kind}")  # noqa: S311 - repeatable, not secret
        text, secret = make(rng)
        yield Case(kind, text, secret)


def nulls(seed: int) -> Iterator[Case]:
    """What must not be hit."""
    rng = random.Random(f"{seed}:nulls")  # noqa: S311 - repeatable, not secret
    sha1 = hashlib.sha1(rng.randbytes(8), usedforsecurity=False).hexdigest()
    sha256 = hashlib.sha256(rng.randbytes(8)).hexdigest()
    made = {
        "commit": f"commit {sha1}\nAuthor: Jane Roe\n",
        "fixed in": f"fixed by {sha1[:12]}, see {sha1}",
        "checksum": f"{sha256}  proctor-1.0.tar.gz",
        "sri": f'"integrity": "sha384-{b64(rng, 48)}"',
        "uuid": f'{{"id": "{_uuid(rng)}", "request_id": "{_uuid(rng)}"}}',
        "etag": f'ETag: W/"{noise(rng, 32, HEX)}"',
        "lock": f"resolution: {{integrity: sha512-{b64(rng, 64)}}}",
        "cargo": f'checksum = "{sha256}"',
        "go.sum": f"golang.org/x/net v0.1.0 h1:{b64(rng, 32)}",
        "public key": _pem(rng, "PUBLIC KEY", 3),
        "certificate": _pem(rng, "CERTIFICATE", 6),
        "certificate data": f"    certificate-authority-data: {base64.b64encode(_pem(rng, 'CERTIFICATE', 2).encode()).decode()}",
        "ssh public": f"ssh-rsa AAAAB3NzaC1yc2EA{b64(rng, 60)} alice@host",
        "known hosts": f"github.com ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNo{b64(rng, 60)}",
        "fingerprint": f"SHA256:{b64(rng, 32).rstrip('=')} (ED25519)",
        "image": f"<img src='data:image/png;base64,iVBORw0KGgo{b64(rng, 200)}'>",
        "trace": f"traceparent: 00-{noise(rng, 32, HEX)}-{noise(rng, 16, HEX)}-01",
        "message id": f'{{"id": "msg_01{noise(rng, 22)}", "type": "message"}}',
        "tool id": f'"tool_use_id": "toolu_01{noise(rng, 22)}"',
        "completion": f'"id": "chatcmpl-{noise(rng, 29)}"',
        "stripe ids": f"customer cus_{noise(rng, 14)} paid pi_{noise(rng, 24)}",
        "stripe public": f"pk_live_{noise(rng, 24)}",
        "object id": f'{{"_id": "{noise(rng, 24, HEX)}", "key": "user:42"}}',
        "page token": f'"nextPageToken": "{noise(rng, 40)}"',
        "cursor": f"?cursor={noise(rng, 30)}",
        "thinking": f'"signature": "{b64(rng, 120)}"',
        "css": ".token.keyword{color:#07a}.password-field{border:1px solid #ccc}",
        "css hash": f".Button_{noise(rng, 5)}__{noise(rng, 5)} {{ color: red }}",
        "asset": f'<script src="/static/main.{noise(rng, 20, HEX)}.chunk.js"></script>',
        "type": "def check(password: str, token: Token | None = None) -> SecretStr: ...",
        "typescript type": "interface Login { password: string; token?: AccessToken; apiKey: string | undefined }",
        "hash call": "user.password = bcrypt.hash(password, salt_rounds)",
        "lookup": "password = settings.DATABASES['default']['PASSWORD']",
        "env lookup": "api_key = os.environ.get('OPENAI_API_KEY', '')",
        "process env": "const token = process.env.GITHUB_TOKEN;",
        "getenv": 'token := os.Getenv("API_TOKEN")',
        "shell var": 'curl -u "$USER:$PASSWORD" -H "Authorization: Bearer $TOKEN" $URL',
        "actions": "password: ${{ secrets.DEPLOY_PASSWORD }}",
        "jinja": "password: {{ vault_db_password }}",
        "helm": "password: {{ .Values.auth.password | quote }}",
        "spring": "spring.datasource.password=${DB_PASSWORD:}",
        "terraform ref": "password = var.db_password",
        "terraform data": "password = data.aws_secretsmanager_secret_version.db.secret_string",
        "cloudformation": "MasterUserPassword: !Ref DBPassword",
        "k8s ref": "valueFrom:\n  secretKeyRef:\n    name: db-credentials\n    key: password\n",
        "form": '<input type="password" name="password" placeholder="Enter your password" autocomplete="current-password">',
        "label": '<label for="password">Password</label>',
        "i18n": '"forgotPassword": "Forgot password?", "password": "Passwort", "passwordHint": "At least 8 characters"',
        "i18n yaml": "de:\n  password: Kennwort\n  password_confirmation: Kennwort bestätigen\n",
        "docs": "Set `API_KEY=<your-api-key>` and `password=YOUR_PASSWORD`.",
        "docs x": "export GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "docs dots": "OPENAI_API_KEY=sk-...",
        "docs mask": 'password: "********"',
        "docs change": "ADMIN_PASSWORD=changeme",
        "docs example": "mysql://user:password@localhost:3306/db",
        "docs same": "postgres://postgres:postgres@localhost:5432/postgres",
        "aws example": "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "aws example id": "AKIAIOSFODNN7" + "EXAMPLE",
        "test value": 'client.login(username="test", password="test")',
        "test value 2": 'User.objects.create_user("alice", password="secret")',
        "rule": "'password' => 'required|string|min:8|confirmed',",
        "error": 'raise ValueError("password is too short: need 8 characters")',
        "prose": "The password is required and must contain 8 characters, one digit and one symbol.",
        "prose 2": "Your password was changed. If the token is expired, request a new API key.",
        "prose 3": "The secret is to use a token bucket; the key is simple design.",
        "prose sha": "password hashing uses SHA256 and the key is base64 encoded",
        "tokens": "max_tokens: 4096, input_tokens: 1523, token_count=98213",
        "tokenizer": 'tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")',
        "token type": '"token_type": "bearer", "grant_type": "client_credentials"',
        "cache key": f'cache_key = "user:42:{noise(rng, 8, HEX)}"',
        "primary key": "id BIGINT PRIMARY KEY, key VARCHAR(64) NOT NULL, password_hash CHAR(60)",
        "key code": 'if (event.key === "Enter" || event.keyCode === 13) submit();',
        "ssh config": "PasswordAuthentication no\nIdentityFile ~/.ssh/id_ed25519\n",
        "header name": 'API_KEY_HEADER = "X-Api-Key"; TOKEN_URL = "https://idp.internal/oauth/token"',
        "path": "ssl_certificate_key /etc/nginx/ssl/server.key;\nsecret_file: /run/secrets/db\n",
        "semver": "token 1.2.3 → 1.3.0; jsonwebtoken@9.0.2",
        "min js": 'function t(e,n){return e.token=n.token||"",e.password=n.getPassword(),e}var r={key:"a",secret:!0};',
        "min js 2": 'e.exports={apiKey:t.apiKey,authDomain:t.domain,k:"ArrowDown",pass:function(){return 1}}',
        "log": "2026-01-02T03:04:05Z INFO auth: token refreshed for alice in 23ms (attempt 2)",
        "grep": "src/app.py:12:34: error: password is unused",
        "time": "12:30:45:123 host:8080:path",
        "ipv6": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
        "color": "--token-color: #a1b2c3d4; --key: var(--primary)",
        "enum": "enum TokenKind { Password = 1, ApiKey = 2, Secret = 3 }",
        "regex": "(?i)(password|secret|token)\\s*[:=]\\s*['\\\"]([^'\\\"]+)",
        "redacted": "password: [REDACTED], token=***, secret: <hidden>",
        "stand-ins": "password=<PASSWORD> token=SECRET_bcdfghjklmnpqrst mysql://a:<PASSWORD:bcdfghjklmnpqrst>@h/x",
        "base64 words": "payload: "
        + base64.b64encode(b"just an ordinary sentence about nothing").decode(),
        "lorem": "Please enter your API key. The key can be found in your account settings under Tokens.",
        "openapi": "password:\n  type: string\n  format: password\n  minLength: 8\n",
        "graphql": "mutation { login(email: $email, password: $password) { token } }",
        "sql": "SELECT token, password FROM users WHERE api_key = $1",
        "sql column": "ALTER TABLE users ADD COLUMN password VARCHAR(255) NOT NULL DEFAULT '';",
        "go struct": 'Password string `json:"password" validate:"required"`',
        "python kw": "connect(user=user, password=password, token=self.token)",
        "java getter": "public String getPassword() { return password; }",
        "man page": "-p, --password=PASSWORD  password to use; --token TOKEN  access token",
        "usage": "usage: mysql -u USER -p DATABASE; sshpass -p <password> ssh host",
        "curl docs": "curl -u username:password https://api.example.com",
        "k8s name": "secretName: api-tls-secret\ntokenSecretName: ci-deploy-token-v2\n",
        "arn": "secret_arn = arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
    }
    for kind, text in made.items():
        yield Case(kind, text, None)
