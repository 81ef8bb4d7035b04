"""Passwords and keys where people write them: names, sentences, commands, setters, query strings; some out of reach.

None of these forms is taken from the catalogue under test; those it misses stay in, so that recall says so.
"""

from __future__ import annotations

import random

from tests.bench.secret_corpus import Document, fill

PASSWORDS = (
    "ADMIN_PASSWORD={V}", "GF_SECURITY_ADMIN_PASSWORD={V}", '"dbPassword": "{V}"', "wifi_password = {V}",
    "keystore.password={V}", "mail.smtp.password={V}", "LDAP_BIND_PASSWORD={V}", "jdbc.password = {V}",
    "defaultPassword: {V}", "SUDO_PASS={V}", "rabbitmq_pass: {V}", "ADMIN_PW={V}", "pass: {V}", "pw: {V}",
    '<property name="password" value="{V}"/>', '<password type="plain">{V}</password>',
    "UPDATE users SET password='{V}' WHERE id=1;", "CREATE USER app WITH PASSWORD '{V}';",
    "INSERT INTO users (name, password) VALUES ('bob', '{V}');", "CREATE USER 'app'@'%' IDENTIFIED BY '{V}';",
    'String password = "{V}";', "self.password = '{V}'", "os.environ['DB_PASSWORD'] = '{V}'",
    'setPassword("{V}")', '.password("{V}")', 'passwordField.setText("{V}");', "auth=('admin', '{V}')",
    "-e MYSQL_PASSWORD={V}", "--db-password={V}", "--admin-password '{V}'", "sshpass -p '{V}' ssh x@y",
    "docker login -u bob -p {V}", "curl -u admin:{V} https://x.example/z", "redis-cli -h cache -a {V}",
    "mysql -u root -p{V} app", "net use z: \\\\srv\\share /user:bob {V}", "echo '{V}' | sudo -S ls",
    "my password is {V}", "The admin password for the server is {V}.", "log in as admin with password {V}",
    "creds: admin / {V}", "Passwort: {V}", "mot de passe : {V}", "contraseña: {V}",
    "Server=db;Database=x;User Id=sa;Password={V};", "root:{V}@tcp(127.0.0.1:3306)/db",
    "https://deploy:{V}@git.example/x.git", "password\t{V}", "ENV APP_PASSWORD {V}", '$env:PASSWORD="{V}"',
)  # fmt: skip
KEYS = (
    "internal_api_token: {V}", "X-Auth-Token: {V}", '"accessToken":"{V}"', "refresh_token = {V}", "JWT_SIGNING_KEY={V}",
    "cookie_secret: '{V}'", 'webhookSecret: "{V}"', "APP_KEY=base64:{V}", "DJANGO_SECRET_KEY='{V}'", "hmac_key: {V}",
    'deploy_key = "{V}"', "token={V}&user=1", "https://api.example/v1?access_token={V}", "https://x.example/?key={V}",
    "Authorization: Token {V}", "PRIVATE-TOKEN: {V}", "x-functions-key: {V}", "SharedSecret={V}", "NPM_AUTH={V}",
    "set_api_key('{V}')", '<add key="ApiKey" value="{V}" />', "secrets:\n  api: {V}", "ApiKey {V}",
    'key = "{V}"  # api key', "credential: {V}", "SECRET={V}",
)  # fmt: skip
VALUES = ("{a:9}!{d:3}", "{a:6}#{a:4}", "{A:6}7{A:3}${d:2}", "{a:18}", "{A:5}@{d:4}")
KEY_VALUES = ("{a:32}", "{h:40}", "{a:24}", "{w:43}")


def written(rng: random.Random) -> list[Document]:
    """Each form with each kind of value."""
    out = []
    for kind, forms, values in (("password_form", PASSWORDS, VALUES), ("key_form", KEYS, KEY_VALUES)):
        for form in forms:
            for template in values:
                value = fill(template, rng)
                out.append(Document(kind, "txt", form.replace("{V}", value), value))
    return out
