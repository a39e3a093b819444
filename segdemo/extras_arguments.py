"""The command line's arguments for extras: `--tile`, `--tta`, `--refine`."""

import argparse
from itertools import product

from segdemo.errors import ModelError
from segdemo.extras import REFINES, TTAS, Extras


def add(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Give a command the arguments. several: each takes one value or more, all combinations of which are run."""
    count = "+" if several else None
    parser.add_argument(
        "--tile",
        nargs=count,
        type=_tile,
        default=[None] if several else None,
        metavar="N",
        help="show the network tiles of N x N pixels as large as whole pictures, N a multiple of 32 "
        "(0, the default: only of pictures over 50 megapixels)",
    )
    parser.add_argument(
        "--tta",
        nargs=count,
        choices=TTAS,
        default=["none"] if several else "none",
        help="test-time augmentation: the mean of a picture and its mirror image, or of three scales",
    )
    parser.add_argument(
        "--refine",
        nargs=count,
        choices=REFINES,
        default=["none"] if several else "none",
        help="crf: let a dense CRF move borders to edges of the picture",
    )


def of(args: argparse.Namespace) -> Extras:
    """The extras that one run is asked for."""
    return Extras(args.tile, args.tta, args.refine)


def all_of(args: argparse.Namespace) -> list[Extras]:
    """The combinations that several runs are asked for."""
    return [Extras(*values) for values in product(args.tile, args.tta, args.refine)]


def _tile(text: str) -> int | None:
    try:
        return Extras(int(text)).tile if int(text) else None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of pixels") from error
    except ModelError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
