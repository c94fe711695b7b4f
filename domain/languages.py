"""Names of languages: BCP 47 tags (RFC 5646), as clients give them, and the language that a tag names first.

Tags are checked for their form, not against the registry of names, which grows.
"""

import re

LONGEST_TAG = 64
"""In characters. RFC 5646, 4.4.1, asks for at least 35."""

_IRREGULAR = {
    "en-gb-oed": "en",
    "i-default": "en",
    "i-lux": "lb",
    "i-navajo": "nv",
    "sgn-be-fr": "sfb",
    "sgn-be-nl": "vgt",
    "sgn-ch-de": "sgg",
} | {f"i-{name}": name for name in ("ami", "bnn", "enochian", "hak", "klingon", "mingo", "pwn", "tao", "tay", "tsu")}
"""Tags from before the form had rules (RFC 5646, 2.2.8) -> the language that they name."""

_REGULAR = re.compile(
    r"""
    (?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})     # language, with its extended languages
    (?:-[a-z]{4})?                                           # script
    (?:-(?:[a-z]{2}|[0-9]{3}))?                              # region
    (?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)
    (?P<extensions>(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*)
    (?:-x(?:-[a-z0-9]{1,8})+)?                               # private use
    |x(?:-[a-z0-9]{1,8})+
    """,
    re.VERBOSE | re.ASCII,
)

_ALIAS_PAIRS = """
    afr=af alb=sq amh=am ara=ar arm=hy asm=as aze=az bak=ba baq=eu bel=be ben=bn bod=bo bos=bs bre=br bul=bg bur=my
    cat=ca ces=cs chi=zh cmn=zh cym=cy cze=cs dan=da deu=de dut=nl ell=el eng=en est=et eus=eu fao=fo fas=fa fil=tl
    fin=fi fra=fr fre=fr geo=ka ger=de glg=gl gre=el guj=gu hat=ht hau=ha heb=he hin=hi hrv=hr hun=hu hye=hy ice=is
    in=id ind=id isl=is ita=it iw=he jav=jv ji=yi jpn=ja jw=jv kan=kn kat=ka kaz=kk khm=km kor=ko lao=lo lat=la lav=lv
    lin=ln lit=lt ltz=lb mac=mk mal=ml mao=mi mar=mr may=ms mkd=mk mlg=mg mlt=mt mo=ro mon=mn mri=mi msa=ms mya=my
    nb=no nep=ne nld=nl nno=nn nob=no nor=no oci=oc pan=pa per=fa pes=fa pol=pl por=pt prs=fa pus=ps ron=ro rum=ro
    rus=ru san=sa sin=si slk=sk slo=sk slv=sl sna=sn snd=sd som=so spa=es sqi=sq srp=sr sun=su swa=sw swe=sv swh=sw
    tam=ta tat=tt tel=te tgk=tg tgl=tl tha=th tib=bo tuk=tk tur=tr ukr=uk urd=ur uzb=uz vie=vi wel=cy yid=yi yor=yo
    zho=zh zsm=ms
"""
_ALIASES = dict(pair.split("=") for pair in _ALIAS_PAIRS.split())
"""Other names of a language, of ISO 639-1 to -3 -> the shortest one, which BCP 47 wants."""


def is_language_tag(tag: str) -> bool:
    """Whether it has the form of a tag, in any case: `en`, `es-419`, `zh-Hant`, `en-US-x-clinic`."""
    lowered = tag.lower()
    if len(tag) > LONGEST_TAG or not tag.isascii():
        return False
    found = _REGULAR.fullmatch(lowered)
    if found is None:
        return lowered in _IRREGULAR
    variants = re.findall(r"[a-z0-9]+", found["variants"] or "")
    singletons = re.findall(r"-([a-z0-9])(?=-)", found["extensions"] or "")
    return all(len(named) == len(set(named)) for named in (variants, singletons))


def primary_language(tag: str) -> str:
    """The language of a tag, by its shortest name: "en" of "en", "EN-us" and "eng"."""
    lowered = tag.replace("_", "-").lower()
    first = _IRREGULAR.get(lowered) or lowered.partition("-")[0]
    return _ALIASES.get(first, first)
