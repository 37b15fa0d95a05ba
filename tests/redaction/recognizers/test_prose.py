"""Secrets told in sentences."""

import pytest

from proctor.redaction.recognizers.prose import SHAPES
from tests.redaction.recognizers.shaped import values

P = "Vq8mZ2" + "kLp0xR"
N = "f7Kq2mXw8Z" + "pT4vB6nR1sD3gH5j"


@pytest.mark.parametrize(
    "text",
    [
        "The password is @@, please change it.",
        "the password for the staging box is @@",
        "Das Passwort lautet @@ und",
        "Le mot de passe est @@",
        "la contraseña es: @@",
        "a senha é @@",
        "Hasło: @@",
        "Пароль: @@",
        "Şifre: @@",
        "lösenordet är @@",
        "密码是 @@",
        "パスワードは @@ です",
        "**Password:** @@",
        'the password "@@" works',
        "log in with the password @@ until Friday",
        "use @@ as the password",
        "login: alice / @@",
        "creds for ci are alice / @@",
        "Password (temporary): @@",
    ],
)
def test_passwords_in_sentences(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize(
    "text", ["here's the API key: @@", "use @@ as the access token", "token → @@"]
)
def test_tokens_in_sentences(text: str) -> None:
    assert set(values(SHAPES, text.replace("@@", N))) == {N}


def test_a_passphrase_of_words() -> None:
    assert values(SHAPES, 'the passphrase is "river copper window lantern"') == [
        "river copper window lantern"
    ]


def test_a_dot_in_between_ends_no_sentence() -> None:
    assert values(SHAPES, f"The password for jane@mail.test on db.internal is {P}!") == [P + "!"]


def test_a_sign_at_the_end_may_belong_to_it() -> None:
    assert values(SHAPES, f"the password is {P}!") == [P + "!"]
    assert values(SHAPES, f"the password is {P}.") == [P]


@pytest.mark.parametrize(
    "text",
    [
        "The password is required and must contain 8 characters.",
        "The password is too short.",
        "password is base64 encoded",
        "Your password was changed.",
        "the secret is to use tokens",
        "Don't pass the value of `future.result()`",
        "commit 0b1f2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c fixes the token refresh",
        "password: [REDACTED]",
        "0b1f2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c Fix token refresh",
        "Forgot password? Reset it here.",
        "log in with user and password",
        "the key is simple design",
        "Inject the 'parameters' you pass",
    ],
)
def test_sentences_about_passwords(text: str) -> None:
    assert values(SHAPES, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "$ kubectl get secret db -o x | base64 -d\n@@\n",
        "Please use the following password to proceed:\n\n@@\n",
        "Password for the [elastic] user was reset.\nNew value: @@\n",
        '127.0.0.1> GET session:token\n"@@"\n',
        "do not use `@@` as the db password",
        "Das WLAN-Passwort ist @@",
        "Adminpasswort: @@",
        "Heslo je @@",
        "パスワード:@@",
        "creds: svc-app // @@",
    ],
)
def test_told_in_other_ways(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize(
    "text",
    [
        "$ kubectl get secret db-password\nNAME   TYPE\ndb-password  Opaque\n",
        "Reset your new password\nhttps://acme.io/reset\n",
        "use `column_12` as the password column",
        "The following secret is missing:\nDATABASE_PASSWORD_PROD\n",
    ],
)
def test_told_about_nothing(text: str) -> None:
    assert values(SHAPES, text) == []


@pytest.mark.parametrize("value", ["badger.summit_227", "tiger-panda.501"])
def test_words_and_a_number_are_a_password(value: str) -> None:
    assert values(SHAPES, f"le mot de passe est {value} .") == [value]
    assert values(SHAPES, f"Credentials: admin / {value}") == [value]


def test_a_setup_key_is_noise_near_its_name() -> None:
    assert values(SHAPES, f"my 2FA setup key is {N} for codes") == [N]
    assert values(SHAPES, "the setup key is in the docs, chapter 2") == []
