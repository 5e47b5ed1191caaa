"""Layouts of transcripts, chats, services and assistants: read as they are meant, or refused at the line."""

import json
from typing import Any

import pytest

from pipeline.script.encoding import decode
from pipeline.script.parser import read

TWO = [("Mia", "Is the lamp lit?"), ("Rolf", "Yes, since nine."), ("Mia", "Good.")]


def said(text: str) -> list[tuple[str, str]]:
    script = read(text)
    assert script.problems == (), script.problems
    return [(turn.speaker, turn.text) for turn in script.turns]


def written(template: str) -> str:
    """The three lines of dialogue in a template: {0} the name, {1} the words, {2} the number."""
    lines = (template.format(name, words, i) for i, (name, words) in enumerate(TWO, 1))
    return "\n".join(lines) + "\n"


def refused(text: str | bytes) -> list[tuple[int, str]]:
    found = read(text).problems
    assert found, [(turn.speaker, turn.text) for turn in read(text).turns]
    return [(problem.line, problem.reason) for problem in found]


@pytest.mark.parametrize(
    "template",
    [
        "@{0}: {1}",
        "@{0} {1}",
        "@{0} - {1}",
        "**@{0}:** {1}",
        "{0} Lund @{0} · 2h\n{1}\n",
        "{0}\n  9:4{2} AM\n{1}\n",
        "{0}\n12/05/2024 21:0{2}\n{1}\n",
        "{0}\n — 05/12/2024 9:4{2} AM\n{1}",
        "{0}\n00:00:0{2}\n{1}",
        "00:00:0{2}:00 - 00:00:0{2}:20\n{0}\n{1}\n",
        "{0}  [9:4{2} AM]\n{1}\n[9:5{2} AM]",
        "[0.{2} --> 3.00] {0}: {1}",
        "[{2}.0s - {2}.9s] {0}: {1}",
        "(1{2}s) {0}: {1}",
        "0h01m1{2}s {0}: {1}",
        "2024-05-12T21:03:1{2}Z {0}: {1}",
        "[12/05/2024, 21:0{2}:00] ~ {0}: {1}",
        "21:03:1{2} From {0} to Everyone:\n\t{1}",
        "{0}: [00:00:0{2}] {1}\n",
        "{0}: 00:00:0{2} {1}\n",
        "{0}: {1} (00:0{2})",
        "{2}  {0}: {1}",
        "  {2}| {0}: {1}",
        "00{2} - {0}: {1}",
        "b) {0}: {1}",
        "(sadly) {0}: {1}",
        "_{0}._ {1}\n",
        "**{0}.** {1}\n",
        "{0} → {1}",
        "<|{0}|>{1}",
        "[b]{0}:[/b] {1}",
        "[b][color=red]{0}:[/color][/b] {1}",
        "'''{0}:''' {1}",
        "<b>{0}:</b> {1}<br>",
    ],
)
def test_one_label_in_every_layout(template: str) -> None:
    people = {"Mia Lund": "Mia", "Rolf Lund": "Rolf"}
    assert [(people.get(name, name), words) for name, words in said(written(template))] == TWO


@pytest.mark.parametrize("name", ["Mr. Holm, Esq.", "Ann Holm, MD", "Holm, Rolf", "Sam Holm, Jr."])
def test_names_with_a_comma(name: str) -> None:
    text = f"Mia: Is it lit?\n{name}: Yes, since nine.\nMia: Good.\n{name}: Well."
    assert [speaker for speaker, _ in said(text)] == ["Mia", name, "Mia", name]


def test_a_title_behind_a_comma_is_enough() -> None:
    assert said("Mia: Is it lit?\nMr. Holm, Esq.: Yes.\nMia: Good.")[1] == ("Mr. Holm, Esq.", "Yes.")


def test_one_bold_word_at_the_head_of_a_sentence_is_no_speaker_without_a_word() -> None:
    assert [line for line, _ in refused("**Mia** went out.")] == [1]


def test_names_in_lower_case_beside_a_time() -> None:
    text = "mia — Today at 9:41 AM\nIs it lit?\nrolf — Today at 9:42 AM\nYes.\nmia — Today at 9:43 AM\nGood."
    assert said(text) == [("mia", "Is it lit?"), ("rolf", "Yes."), ("mia", "Good.")]


def test_columns_of_a_chat_with_times() -> None:
    text = "21:03 mia | is it lit?\n21:04 rolf | yes\n21:05 mia | good\n21:06 --> | ann has joined #lamps"
    assert said(text) == [("mia", "is it lit?"), ("rolf", "yes"), ("mia", "good")]


def test_numbers_are_one_speaker_with_a_space_and_without() -> None:
    script = read("Speaker 1: Is it lit?\nSpeaker 2: Yes.\nSpeaker1: Good.")
    assert [turn.speaker for turn in script.turns] == ["Speaker 1", "Speaker 2", "Speaker 1"]
    assert "'Speaker1' and 'Speaker 1' are one speaker" in [notice.reason for notice in script.notices]


def test_otter() -> None:
    head = (
        "Lamps\nSun, May 12, 2024 9:03PM • 12:31\n\nSUMMARY KEYWORDS\nlamp, oil\n\nSPEAKERS\nMia Lund, Rolf\n"
    )
    text = head + "\nMia Lund  00:01\nIs it lit?\n\nRolf  00:04\nYes.\n\nTranscribed by https://otter.ai\n"
    assert said(text) == [("Mia Lund", "Is it lit?"), ("Rolf", "Yes.")]
    assert {omission.kind for omission in read(text).omissions} == {"title block"}


def test_teams_in_words() -> None:
    text = "".join(
        f"{name}\n0 minutes {i} seconds0:0{i}\n{name} 0 minutes {i} seconds\n{words}\n"
        for i, (name, words) in enumerate(TWO, 3)
    )
    assert said(text) == TWO


def test_times_alone_are_no_speakers() -> None:
    assert said("00:00\nIs it lit?\n\n00:04\nYes.\n\n00:07\nGood.\n") == [
        ("Narrator", "Is it lit?"),
        ("Narrator", "Yes."),
        ("Narrator", "Good."),
    ]


@pytest.mark.parametrize(
    "placeholder",
    [
        "image omitted",
        "\u200esticker omitted",
        "GIF omitted",
        "<Media omitted>",
        "<Medien ausgeschlossen>",
        "This message was deleted",
        "You deleted this message.",
        "Missed voice call",
        "Voice call, 12 min",
        "null",
        "IMG-20240512-WA0003.jpg (file attached)",
        "<attached: 00000012-PHOTO.jpg>",
        "Waiting for this message. This may take a while.",
        "Messages and calls are end-to-end encrypted. No one outside of this chat can read them.",
    ],
)
def test_what_stands_in_place_of_a_message_is_left_out(placeholder: str) -> None:
    for head in ("", "[12.05.24, 21:03:11] "):
        text = f"{head}Mia: Is it lit?\n{head}Rolf: {placeholder}\n{head}Mia: Good."
        assert said(text) == [("Mia", "Is it lit?"), ("Mia", "Good.")]
        assert [omission.line for omission in read(text).omissions] == [2]


@pytest.mark.parametrize(
    "notice",
    [
        "Messages and calls are end-to-end encrypted. Tap to learn more.",
        "Ann joined using this group's invite link",
        "Rolf changed this group's icon",
        'Mia created group "Lamps"',
        "Rolf left",
        "Your security code with Rolf changed. Tap to learn more.",
    ],
)
def test_lines_about_a_chat_are_left_out(notice: str) -> None:
    text = (
        f"21:01 - {notice}\n21:02 - Mia: Is it lit?\n21:03 - {notice}\n21:04 - Rolf: Yes.\n21:05 - Mia: Good."
    )
    assert said(text) == [("Mia", "Is it lit?"), ("Rolf", "Yes."), ("Mia", "Good.")]
    assert [omission.line for omission in read(text).omissions] == [1, 3]


@pytest.mark.parametrize(
    "words", ["The image was omitted.", "This message was deleted by my cat.", "Rolf left."]
)
def test_words_about_messages_are_spoken(words: str) -> None:
    assert ("Rolf", words) in said(f"Mia: Is it lit?\nRolf: {words}\nMia: Good.")


def test_marks_of_chats_within_words_are_left_out() -> None:
    text = "Mia: Lit? (edited)\nRolf: Yes <@U012> :thumbs_up:\nMia: Good. <This message was edited>"
    assert [words for _, words in said(text)] == ["Lit?", "Yes", "Good."]


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("TTS the following conversation between Mia and Rolf:\n", ""),
        ("Please read the following as a podcast.\n\n", ""),
        ("Make Mia sound tired\nand Rolf sound excited:\n\n", ""),
        ("Sure! Here's your script:\n\n", "\n\nWould you like me to add an intro?"),
        (
            "Here is the podcast script you asked for:\n\n---\n\n",
            "\n\n---\n\n*Feel free to adjust the tone.*",
        ),
        ("", "\n\nLet me know if you'd like any changes!"),
    ],
)
def test_words_of_an_assistant_around_a_script_are_left_out(opening: str, closing: str) -> None:
    text = opening + written("**{0}:** {1}\n").strip() + closing
    assert said(text) == TWO
    assert "remark" in {omission.kind for omission in read(text).omissions}


@pytest.mark.parametrize(
    "opening", ["Please read the following text aloud:", "Sure! Here's a short story about a lamp:"]
)
def test_words_of_an_assistant_before_prose_are_a_problem(opening: str) -> None:
    text = f"{opening}\n\nThe lamp was lit at nine. It burned."
    assert [line for line, _ in refused(text)] == [1]
    assert read(text, form="prose").turns[0].text == opening


@pytest.mark.parametrize(
    "text",
    [
        "Let me know if you make it home.\n\nI hope you make it.",
        "The lamp was lit.\n\nShall I add oil? she asked.\n\nNo.",
        "@mia please light the lamp tonight.\nThe oil is in the shed.",
        '"Is it lit?" asked Mia.\n"Yes," said Rolf.\n"Good," said Mia.',
        "Yes. We wait.\nNo. We go.\nYes. We wait.",
        "* lamps\n** oil\n** wicks",
        "It is the letter [i], then [b], and [/b] ends it.",
    ],
)
def test_prose_that_resembles_these_is_prose(text: str) -> None:
    assert {speaker for speaker, _ in said(text)} == {"Narrator"}


SCRIPT = "Mia: Is the lamp lit?\nRolf: Yes, since nine.\nMia: Good."


@pytest.mark.parametrize(
    "value",
    [
        SCRIPT,
        {"script": SCRIPT},
        {"title": "Lamps", "script": SCRIPT},
        {"input": {"text": SCRIPT}, "model": "x"},
        SCRIPT.split("\n"),
        {"contents": [{"parts": [{"text": f"TTS the following conversation:\n{SCRIPT}"}]}]},
        [{"speaker": name, "text": f"{name}: {words}"} for name, words in TWO],
        [{"speaker": name, "lines": words.split(" ", 1)} for name, words in TWO],
        [{"role": name, "content": [{"type": "text", "text": words}]} for name, words in TWO],
        [{"from": name, "text": [words[:3], {"type": "bold", "text": words[3:]}]} for name, words in TWO],
        [{"role": "system", "content": "Be brief."}, *({"role": n, "content": w} for n, w in TWO)],
    ],
)
def test_json_of_services(value: Any) -> None:
    assert [(name, words.replace("\n", " ")) for name, words in said(json.dumps(value))] == TWO


def test_a_script_as_one_turn_of_json_is_refused() -> None:
    value = [{"role": "user", "content": "Write it."}, {"role": "assistant", "content": SCRIPT}]
    assert [line for line, _ in refused(json.dumps(value))] == [2]


def test_a_quotation_is_no_json() -> None:
    assert said('"The lamp is lit."') == [("Narrator", '"The lamp is lit."')]


def test_texts_beside_the_script_in_json_are_reported() -> None:
    notices = read(json.dumps({"title": "Lamps", "script": SCRIPT})).notices
    assert any("title" in notice.reason for notice in notices)


def test_captions_that_roll_up_are_read_once() -> None:
    text = (
        "1\n00:00:00,080 --> 00:00:02,470\nso today we light\n\n2\n00:00:02,470 --> 00:00:02,480\n"
        "so today we light\n \n\n3\n00:00:02,480 --> 00:00:04,550\nso today we light\nthe lamp again\n\n"
        "4\n00:00:04,550 --> 00:00:06,000\nthe lamp again\nwith new oil\n"
    )
    assert said(text) == [("Narrator", "so today we light the lamp again with new oil")]


def test_captions_that_repeat_a_word_are_read_in_full() -> None:
    cues = ("Yes.", "Yes.", "No.", "Yes.")
    text = "WEBVTT\n\n" + "".join(f"00:0{i}.000 --> 00:0{i + 1}.000\n{cue}\n\n" for i, cue in enumerate(cues))
    assert [words for _, words in said(text)] == list(cues)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[ti:Lamps]\n[ar:The Keepers]\n[00:12.00]Light the lamp\n[00:15.30]and wait\n", "LRC"),
        ("[00:12.00]<00:12.00>Light <00:12.50>the <00:12.90>lamp\n", "LRC"),
        ("[00:12.00][01:12.00]Light the lamp\n[00:15.30][01:15.30]and wait\n", "LRC"),
        ('title = "Lamps"\n\n[[turns]]\nspeaker = "Mia"\ntext = "Lit?"\n', "TOML"),
        ('[[turns]]\nspeaker = "Mia"\ntext = "Lit?\n', "TOML"),
        ("[Mia]\nvoice=wren\nline=Lit?\n", "INI"),
        ("\\section{Lamps}\nThey are \\emph{lit}.\n", "LaTeX"),
        ("From: Mia <m@x.org>\nTo: Rolf\nSubject: Lamps\nDate: Sun, 12 May 2024\n\nLit?\n", "e-mail"),
        ("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "calendar"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-Mia: Lit?\n+Mia: Yes.\n", "diff"),
        ("https://example.org/script.txt\n", "an address"),
        ("{0}{25}Is it lit?\n{50}{75}Yes.\n", "MicroDVD"),
    ],
)
def test_formats_that_are_not_read_are_named(text: str, name: str) -> None:
    ((line, reason),) = refused(text)
    assert line == 1
    assert name in reason


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("MIA is it lit?\nROLF yes, since nine.\nMIA good.", 1),
        ("Mia. Is it lit?\nRolf. Yes.\nMia. Good.", 1),
        ("Mia, Is it lit?\nRolf, Yes.\nMia, Good.", 1),
        ("Mia- Is it lit?\nRolf- Yes.\nMia- Good.", 1),
        ('mia "Is it lit?"\nrolf "Yes."\nmia "Good."', 1),
        ("{{mia}}: Is it lit?\n{{rolf}}: Yes.\n{{mia}}: Good.", 1),
        ("#mia Is it lit?\n#rolf Yes.\n#mia Good.", 1),
        ("[Mia: Is it lit?]\n[Rolf: Yes.]\n[Mia: Good.]", 1),
        ("== Mia ==\nIs it lit?\n\n== Rolf ==\nYes.\n\n== Mia ==\nGood.", 1),
        ("Mia   00:01   Is it lit?\nRolf   00:04   Yes.\nMia   00:07   Good.", 1),
        ("0.0 3.0 Is it lit?\n3.0 5.0 Yes.", 1),
        ("Mia: Lit?\n<<<<<<< HEAD\nRolf: Yes.\n=======\nRolf: No.\n>>>>>>> x\nMia: Good.", 2),
        ('<d><line speaker="Mia">Lit?</line><line speaker="Rolf">Yes.</line></d>', 1),
        (
            '<l who="Mia">Lit?</l> <l who="Rolf">Yes.</l>\n<l who="Mia">Good.</l>',
            1,
        ),
        ("| Picture | Sound |\n|---|---|\n| Lamp | MIA: Lit? |\n| Oil | ROLF: Yes. |", 3),
        ('script = [\n    ("Mia", "Lit?"),\n    ("Rolf", "Yes."),\n]\n', 1),
        ('define m = Character("Mia")\n\nlabel start:\n    m "Lit?"\n', 1),
        ("Mia: It wasnâ€™t lit.\nRolf: Yes.\nMia: Good.", 1),
    ],
)
def test_what_a_narrator_would_misread_is_a_problem_at_its_line(text: str, line: int) -> None:
    found = refused(text)
    assert line in [number for number, _ in found]
    assert all(reason.count(";") or "write" in reason for _, reason in found), "with a remedy"


def test_acts_and_titles_with_a_rule_below_are_headings() -> None:
    script = read("The Lamp\n========\n\nACT I\n\nSCENE 2. A shed.\n\nMia: Lit?\nRolf: Yes.\nMia: Good.")
    assert [turn.text for turn in script.turns] == ["Lit?", "Yes.", "Good."]
    assert [omission.kind for omission in script.omissions] == ["heading", "scene heading", "scene heading"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Mia: Zażółć gęślą jaźń.\nRolf: Tak.\n", "iso-8859-2"),
        ("Миа: Лампа горит?\nРольф: Да, с девяти.\n", "koi8-r"),
        ("ミア：ランプはついていますか。\nロルフ：はい、九時から。\n", "shift_jis"),
        ("米娅：灯亮了吗？\n罗尔夫：是的，九点就亮了。\n", "gb18030"),
        ("Mia: It’s lit.\nRolf: Yes.\n", "mac-roman"),
    ],
)
def test_one_of_the_encodings_that_are_named_reads_the_text(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    ((_, reason),) = refused(data)
    named = reason.partition("looks like ")[2].partition(":")[0].split(" or ")
    assert f"give `--encoding {named[0]}`" in reason
    assert text in [decode(data, name) for name in named]


def test_line_breaks_in_markup_part_words() -> None:
    assert said("WEBVTT\n\n00:01.000 --> 00:03.000\nMia: Is it<br>lit?\n") == [("Mia", "Is it lit?")]
