import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.events.secret_names import is_secret_name

SECRET = """
    password passwd pass pwd PASSWORD --password -password --passphrase DB_PASSWORD PGPASSWORD
    MYSQL_PWD MYSQL_ROOT_PASSWORD mysqlRootPassword dbPass DBPass dbpass -Dspring.password userpass
    keyStorePassword -storepass --requirepass passwords DB_PASSWORD_1 PASSWORD_HASH
    token TOKEN GITHUB_TOKEN authToken access_token x-auth-token tokens CSRFToken
    secret client_secret clientSecret SECRET_KEY_BASE DJANGO_SECRET_KEY VAULT_SECRET_ID
    api_key api-key apiKey APIKey apikey X-Api-Key AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID
    private-key PRIVATE_KEY encryption.key credentials GOOGLE_APPLICATION_CREDENTIALS
    Authorization Proxy-Authorization Cookie Set-Cookie --oauth2-bearer REDIS_AUTH _auth_token
    X-Amz-Signature JWT
"""

INNOCENT = """
    --passive compass bypass --bypass-cache passenger passthrough passport
    tokenizer token-bucket --token-bucket max_tokens --max-tokens --password-file
    MYSQL_ROOT_PASSWORD_FILE --password-stdin PASSWORD_LENGTH TOKEN_TTL secretName
    --no-password PasswordAuthentication secretary PWD OLDPWD --cookie-jar
    key keys --key sort-key primary_key monkey keyboard author authority auth oauth
    --port user --user path PATH HOME -p 80 -- - . __ ключ
"""


@pytest.mark.parametrize("name", SECRET.split())
def test_people_keep_secrets_under(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", INNOCENT.split())
def test_these_names_are_innocent(name: str) -> None:
    assert not is_secret_name(name)


@given(st.text())
def test_a_name_may_be_anything(name: str) -> None:
    is_secret_name(name)


def test_only_the_end_of_an_endless_name_is_looked_at() -> None:
    assert is_secret_name("x" * 100_000 + "_password")
