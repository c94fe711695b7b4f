"""Whether bare samples of only -1, 0 and 1 are integers, hardly to be heard, or floats, as loud as can be."""

from collections.abc import Iterable

from domain.events import ChunkStored, SampleScale


def chunks_of_float_units(chunks: Iterable[ChunkStored]) -> frozenset[int]:
    """The numbers of the chunks whose -1, 0 and 1 are floats, though they are stored as integers.

    They are what the recording's other chunks are, whether these came before or after. Where the others do not tell, or
    disagree, they are what they are written as. So the answer depends on what came, and not on its order.
    """
    chunks = list(chunks)
    told = {chunk.sample_scale for chunk in chunks} & {SampleScale.INTEGERS, SampleScale.FLOATS}
    if told == {SampleScale.FLOATS}:
        floats = {SampleScale.UNITS, SampleScale.FLOAT_UNITS}
    elif told == {SampleScale.INTEGERS}:
        floats = set()
    else:
        floats = {SampleScale.FLOAT_UNITS}
    return frozenset(chunk.number for chunk in chunks if chunk.sample_scale in floats)
