"""Class names and colours of the public data sets, in the order of their ids; see `segdemo.labels`.

Sources: panopticapi's panoptic_coco_categories.json (COCO: 80 things, then 53 stuff), the ADE20K scene
parsing benchmark's classes and colours under the short names of the published checkpoints, Cityscapes'
labels.py (the classes with a train id), the VOC 2012 development kit (colours: `segdemo.palettes.voc`).
"""

from typing import Final

Row = tuple[str, tuple[int, int, int]]

# fmt: off
VOC_NAMES: Final[tuple[str, ...]] = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)

CITYSCAPES_ROWS: Final[tuple[Row, ...]] = (
    ("road", (128, 64, 128)), ("sidewalk", (244, 35, 232)), ("building", (70, 70, 70)),
    ("wall", (102, 102, 156)), ("fence", (190, 153, 153)), ("pole", (153, 153, 153)),
    ("traffic light", (250, 170, 30)), ("traffic sign", (220, 220, 0)), ("vegetation", (107, 142, 35)),
    ("terrain", (152, 251, 152)), ("sky", (70, 130, 180)), ("person", (220, 20, 60)),
    ("rider", (255, 0, 0)), ("car", (0, 0, 142)), ("truck", (0, 0, 70)),
    ("bus", (0, 60, 100)), ("train", (0, 80, 100)), ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)),
)

COCO_THING_ROWS: Final[tuple[Row, ...]] = (
    ("person", (220, 20, 60)), ("bicycle", (119, 11, 32)), ("car", (0, 0, 142)),
    ("motorcycle", (0, 0, 230)), ("airplane", (106, 0, 228)), ("bus", (0, 60, 100)),
    ("train", (0, 80, 100)), ("truck", (0, 0, 70)), ("boat", (0, 0, 192)),
    ("traffic light", (250, 170, 30)), ("fire hydrant", (100, 170, 30)), ("stop sign", (220, 220, 0)),
    ("parking meter", (175, 116, 175)), ("bench", (250, 0, 30)), ("bird", (165, 42, 42)),
    ("cat", (255, 77, 255)), ("dog", (0, 226, 252)), ("horse", (182, 182, 255)),
    ("sheep", (0, 82, 0)), ("cow", (120, 166, 157)), ("elephant", (110, 76, 0)),
    ("bear", (174, 57, 255)), ("zebra", (199, 100, 0)), ("giraffe", (72, 0, 118)),
    ("backpack", (255, 179, 240)), ("umbrella", (0, 125, 92)), ("handbag", (209, 0, 151)),
    ("tie", (188, 208, 182)), ("suitcase", (0, 220, 176)), ("frisbee", (255, 99, 164)),
    ("skis", (92, 0, 73)), ("snowboard", (133, 129, 255)), ("sports ball", (78, 180, 255)),
    ("kite", (0, 228, 0)), ("baseball bat", (174, 255, 243)), ("baseball glove", (45, 89, 255)),
    ("skateboard", (134, 134, 103)), ("surfboard", (145, 148, 174)), ("tennis racket", (255, 208, 186)),
    ("bottle", (197, 226, 255)), ("wine glass", (171, 134, 1)), ("cup", (109, 63, 54)),
    ("fork", (207, 138, 255)), ("knife", (151, 0, 95)), ("spoon", (9, 80, 61)),
    ("bowl", (84, 105, 51)), ("banana", (74, 65, 105)), ("apple", (166, 196, 102)),
    ("sandwich", (208, 195, 210)), ("orange", (255, 109, 65)), ("broccoli", (0, 143, 149)),
    ("carrot", (179, 0, 194)), ("hot dog", (209, 99, 106)), ("pizza", (5, 121, 0)),
    ("donut", (227, 255, 205)), ("cake", (147, 186, 208)), ("chair", (153, 69, 1)),
    ("couch", (3, 95, 161)), ("potted plant", (163, 255, 0)), ("bed", (119, 0, 170)),
    ("dining table", (0, 182, 199)), ("toilet", (0, 165, 120)), ("tv", (183, 130, 88)),
    ("laptop", (95, 32, 0)), ("mouse", (130, 114, 135)), ("remote", (110, 129, 133)),
    ("keyboard", (166, 74, 118)), ("cell phone", (219, 142, 185)), ("microwave", (79, 210, 114)),
    ("oven", (178, 90, 62)), ("toaster", (65, 70, 15)), ("sink", (127, 167, 115)),
    ("refrigerator", (59, 105, 106)), ("book", (142, 108, 45)), ("clock", (196, 172, 0)),
    ("vase", (95, 54, 80)), ("scissors", (128, 76, 255)), ("teddy bear", (201, 57, 1)),
    ("hair drier", (246, 0, 122)), ("toothbrush", (191, 162, 208)),
)

COCO_STUFF_ROWS: Final[tuple[Row, ...]] = (
    ("banner", (255, 255, 128)), ("blanket", (147, 211, 203)), ("bridge", (150, 100, 100)),
    ("cardboard", (168, 171, 172)), ("counter", (146, 112, 198)), ("curtain", (210, 170, 100)),
    ("door-stuff", (92, 136, 89)), ("floor-wood", (218, 88, 184)), ("flower", (241, 129, 0)),
    ("fruit", (217, 17, 255)), ("gravel", (124, 74, 181)), ("house", (70, 70, 70)),
    ("light", (255, 228, 255)), ("mirror-stuff", (154, 208, 0)), ("net", (193, 0, 92)),
    ("pillow", (76, 91, 113)), ("platform", (255, 180, 195)), ("playingfield", (106, 154, 176)),
    ("railroad", (230, 150, 140)), ("river", (60, 143, 255)), ("road", (128, 64, 128)),
    ("roof", (92, 82, 55)), ("sand", (254, 212, 124)), ("sea", (73, 77, 174)),
    ("shelf", (255, 160, 98)), ("snow", (255, 255, 255)), ("stairs", (104, 84, 109)),
    ("tent", (169, 164, 131)), ("towel", (225, 199, 255)), ("wall-brick", (137, 54, 74)),
    ("wall-stone", (135, 158, 223)), ("wall-tile", (7, 246, 231)), ("wall-wood", (107, 255, 200)),
    ("water-other", (58, 41, 149)), ("window-blind", (183, 121, 142)), ("window-other", (255, 73, 97)),
    ("tree-merged", (107, 142, 35)), ("fence-merged", (190, 153, 153)), ("ceiling-merged", (146, 139, 141)),
    ("sky-other-merged", (70, 130, 180)), ("cabinet-merged", (134, 199, 156)),
    ("table-merged", (209, 226, 140)), ("floor-other-merged", (96, 36, 108)),
    ("pavement-merged", (96, 96, 96)), ("mountain-merged", (64, 170, 64)), ("grass-merged", (152, 251, 152)),
    ("dirt-merged", (208, 229, 228)), ("paper-merged", (206, 186, 171)),
    ("food-other-merged", (152, 161, 64)), ("building-other-merged", (116, 112, 0)),
    ("rock-merged", (0, 114, 143)),
    ("wall-other-merged", (102, 102, 156)), ("rug-merged", (250, 141, 255)),
)

# Road and skyscraper share a colour in the benchmark's own palette.
ADE20K_ROWS: Final[tuple[Row, ...]] = (
    ("wall", (120, 120, 120)), ("building", (180, 120, 120)), ("sky", (6, 230, 230)),
    ("floor", (80, 50, 50)), ("tree", (4, 200, 3)), ("ceiling", (120, 120, 80)),
    ("road", (140, 140, 140)), ("bed", (204, 5, 255)), ("windowpane", (230, 230, 230)),
    ("grass", (4, 250, 7)), ("cabinet", (224, 5, 255)), ("sidewalk", (235, 255, 7)),
    ("person", (150, 5, 61)), ("earth", (120, 120, 70)), ("door", (8, 255, 51)),
    ("table", (255, 6, 82)), ("mountain", (143, 255, 140)), ("plant", (204, 255, 4)),
    ("curtain", (255, 51, 7)), ("chair", (204, 70, 3)), ("car", (0, 102, 200)),
    ("water", (61, 230, 250)), ("painting", (255, 6, 51)), ("sofa", (11, 102, 255)),
    ("shelf", (255, 7, 71)), ("house", (255, 9, 224)), ("sea", (9, 7, 230)),
    ("mirror", (220, 220, 220)), ("rug", (255, 9, 92)), ("field", (112, 9, 255)),
    ("armchair", (8, 255, 214)), ("seat", (7, 255, 224)), ("fence", (255, 184, 6)),
    ("desk", (10, 255, 71)), ("rock", (255, 41, 10)), ("wardrobe", (7, 255, 255)),
    ("lamp", (224, 255, 8)), ("bathtub", (102, 8, 255)), ("railing", (255, 61, 6)),
    ("cushion", (255, 194, 7)), ("base", (255, 122, 8)), ("box", (0, 255, 20)),
    ("column", (255, 8, 41)), ("signboard", (255, 5, 153)), ("chest of drawers", (6, 51, 255)),
    ("counter", (235, 12, 255)), ("sand", (160, 150, 20)), ("sink", (0, 163, 255)),
    ("skyscraper", (140, 140, 140)), ("fireplace", (250, 10, 15)), ("refrigerator", (20, 255, 0)),
    ("grandstand", (31, 255, 0)), ("path", (255, 31, 0)), ("stairs", (255, 224, 0)),
    ("runway", (153, 255, 0)), ("case", (0, 0, 255)), ("pool table", (255, 71, 0)),
    ("pillow", (0, 235, 255)), ("screen door", (0, 173, 255)), ("stairway", (31, 0, 255)),
    ("river", (11, 200, 200)), ("bridge", (255, 82, 0)), ("bookcase", (0, 255, 245)),
    ("blind", (0, 61, 255)), ("coffee table", (0, 255, 112)), ("toilet", (0, 255, 133)),
    ("flower", (255, 0, 0)), ("book", (255, 163, 0)), ("hill", (255, 102, 0)),
    ("bench", (194, 255, 0)), ("countertop", (0, 143, 255)), ("stove", (51, 255, 0)),
    ("palm", (0, 82, 255)), ("kitchen island", (0, 255, 41)), ("computer", (0, 255, 173)),
    ("swivel chair", (10, 0, 255)), ("boat", (173, 255, 0)), ("bar", (0, 255, 153)),
    ("arcade machine", (255, 92, 0)), ("hovel", (255, 0, 255)), ("bus", (255, 0, 245)),
    ("towel", (255, 0, 102)), ("light", (255, 173, 0)), ("truck", (255, 0, 20)),
    ("tower", (255, 184, 184)), ("chandelier", (0, 31, 255)), ("awning", (0, 255, 61)),
    ("streetlight", (0, 71, 255)), ("booth", (255, 0, 204)), ("television receiver", (0, 255, 194)),
    ("airplane", (0, 255, 82)), ("dirt track", (0, 10, 255)), ("apparel", (0, 112, 255)),
    ("pole", (51, 0, 255)), ("land", (0, 194, 255)), ("bannister", (0, 122, 255)),
    ("escalator", (0, 255, 163)), ("ottoman", (255, 153, 0)), ("bottle", (0, 255, 10)),
    ("buffet", (255, 112, 0)), ("poster", (143, 255, 0)), ("stage", (82, 0, 255)),
    ("van", (163, 255, 0)), ("ship", (255, 235, 0)), ("fountain", (8, 184, 170)),
    ("conveyer belt", (133, 0, 255)), ("canopy", (0, 255, 92)), ("washer", (184, 0, 255)),
    ("plaything", (255, 0, 31)), ("swimming pool", (0, 184, 255)), ("stool", (0, 214, 255)),
    ("barrel", (255, 0, 112)), ("basket", (92, 255, 0)), ("waterfall", (0, 224, 255)),
    ("tent", (112, 224, 255)), ("bag", (70, 184, 160)), ("minibike", (163, 0, 255)),
    ("cradle", (153, 0, 255)), ("oven", (71, 255, 0)), ("ball", (255, 0, 163)),
    ("food", (255, 204, 0)), ("step", (255, 0, 143)), ("tank", (0, 255, 235)),
    ("trade name", (133, 255, 0)), ("microwave", (255, 0, 235)), ("pot", (245, 0, 255)),
    ("animal", (255, 0, 122)), ("bicycle", (255, 245, 0)), ("lake", (10, 190, 212)),
    ("dishwasher", (214, 255, 0)), ("screen", (0, 204, 255)), ("blanket", (20, 0, 255)),
    ("sculpture", (255, 255, 0)), ("hood", (0, 153, 255)), ("sconce", (0, 41, 255)),
    ("vase", (0, 255, 204)), ("traffic light", (41, 0, 255)), ("tray", (41, 255, 0)),
    ("ashcan", (173, 0, 255)), ("fan", (0, 245, 255)), ("pier", (71, 0, 255)),
    ("crt screen", (122, 0, 255)), ("plate", (0, 255, 184)), ("monitor", (0, 92, 255)),
    ("bulletin board", (184, 255, 0)), ("shower", (0, 133, 255)), ("radiator", (255, 214, 0)),
    ("glass", (25, 194, 194)), ("clock", (102, 255, 0)), ("flag", (92, 0, 255)),
)
# fmt: on
