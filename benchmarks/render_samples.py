"""Make an event with pictures, and a thousand holders with different names, so that no cache improves the figures."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import product
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from PIL import Image, ImageDraw

from ticketkit import AppleCredentials, EventDetails, KeyRing, TicketDetails

GIVEN_NAMES = {
    "Latin": (
        "Anna Bruno Chloé Dmitri Eva Farid Greta Håkon Inès João Katrin Lukáš Marta Nuno Oskar Petra Quentin Rosa "
        "Søren Tereza Ulrike Víctor Wanda Xavier Yara Zoë Agnès Björn Carla Diego Elif François Giulia Hugo Ida Jonas"
    ),
    "CJK": (
        "美咲 翔太 陽菜 大輝 结衣 子轩 梓涵 浩然 欣怡 志明 淑芬 建宏 민준 서연 지우 하은 葵 蓮 悠真 凛 湊 陽葵 樹 紬 "
        "宇航 诗涵 俊杰 雨桐 家豪 怡君 雅婷 承翰 도윤 서준 지민 수아"
    ),
    "Devanagari": (
        "आरव अनन्या विवान दीया अर्जुन ईशा कबीर मीरा रोहन नेहा सिद्धार्थ प्रिया कृष्ण लक्ष्मी श्रेया विक्रम आदित्य काव्या इशान "
        "तन्वी राहुल पूजा सूर्य ज्योति गौरव राधिका मनीष सुनीता अमित वैष्णवी देवेंद्र स्नेहा हर्ष अंजलि नितिन रुचि"
    ),
}
FAMILY_NAMES = {
    "Latin": (
        "Almeida Becker Černý Dubois Eriksson Fischer García Hansen Ivanov Jansen Kowalski Lindqvist Müller Novák "
        "Olsen Pereira Quiroga Rossi Schäfer Tóth Urban Vidal Weiß Ximénez Yılmaz Zając Andersen Blanc Costa Dvořák"
    ),
    "CJK": (
        "佐藤 鈴木 高橋 田中 渡辺 王 李 張 陳 劉 김 박 伊藤 山本 中村 小林 加藤 吉田 山田 "
        "黄 周 吴 徐 林 이 최 정 강 조 윤"
    ),
    "Devanagari": (
        "शर्मा वर्मा गुप्ता सिंह पटेल मिश्रा त्रिवेदी कुलकर्णी देशपांडे श्रीवास्तव अग्रवाल चौधरी जोशी मेहता नायर राव यादव तिवारी "
        "पांडे शुक्ला भट्ट कपूर मल्होत्रा खन्ना ठाकुर जैन बंसल सक्सेना द्विवेदी चतुर्वेदी"
    ),
}


def sample_event() -> EventDetails:
    return EventDetails(
        title="Concert Night",
        starts_at=datetime(2026, 6, 20, 18, 30, tzinfo=UTC),
        doors_at=datetime(2026, 6, 20, 17, 30, tzinfo=UTC),
        time_zone="Europe/Lisbon",
        venue="Teatro Municipal",
        address="Rua da Misericórdia 14, 1200-273 Lisboa",
        organiser="Northern Lights Promotions",
        terms="No refunds. Doors close 15 minutes after the start. Bring an identity document.",
        cover=_cover(),
        logo=_logo(),
    )


def sample_tickets(script: str, keys: KeyRing) -> Iterator[TicketDetails]:
    """Yield tickets endlessly. Each code is signed on demand, so that signing counts as part of the ticket's time."""
    chooser = random.Random(script)  # noqa: S311
    given, family = GIVEN_NAMES[script].split(), FAMILY_NAMES[script].split()
    names = [" ".join(parts) for parts in product(given, family)]
    chooser.shuffle(names)
    for number in range(10**9):
        ticket_id = UUID(int=chooser.getrandbits(128), version=4)
        yield TicketDetails(
            ticket_id=str(ticket_id),
            code=keys.sign(1, ticket_id, 0),
            holder=names[number % len(names)],
            ticket_type="Standing",
            price="€ 42.00",
            order_reference=f"{chooser.getrandbits(40):010X}",
        )


def sample_apple_credentials() -> AppleCredentials:
    """Return credentials like Apple's, with 2048-bit RSA keys, signed by a temporary authority."""
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    intermediate = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Intermediate")])
    pass_type = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, "pass.example.tickets"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "TEAM123456"),
        ]
    )
    certificates = [
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(intermediate)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(keys[0], SHA256())
        for subject, key in zip((intermediate, pass_type), keys, strict=True)
    ]
    issuer, own = (certificate.public_bytes(Encoding.PEM) for certificate in certificates)
    return AppleCredentials.load(own, keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), issuer)


def _cover() -> bytes:
    """Return a JPEG of about 150 KB, with gradients, edges and grain like a photograph."""
    noise = Image.effect_noise((1600, 900), 24).convert("RGB")
    picture = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize((1600, 900)) for turn in (0, 90, 180)])
    draw = ImageDraw.Draw(picture)
    for n in range(60):
        x, y, radius = 800 + 700 * math.cos(n), 450 + 380 * math.sin(1.7 * n), 20 + 7 * (n % 9)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(4 * n, 255 - 4 * n, 40 * n % 256))
    buffer = BytesIO()
    Image.blend(picture, noise, 0.12).save(buffer, "JPEG", quality=78)
    return buffer.getvalue()


def _logo() -> bytes:
    logo = Image.new("RGBA", (400, 200))
    draw = ImageDraw.Draw(logo)
    draw.ellipse((10, 10, 190, 190), fill=(67, 56, 202, 255))
    draw.ellipse((60, 60, 140, 140), fill=(255, 255, 255, 128))
    draw.rectangle((210, 60, 390, 140), fill=(67, 56, 202, 200))
    buffer = BytesIO()
    logo.save(buffer, "PNG")
    return buffer.getvalue()
