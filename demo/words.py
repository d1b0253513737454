"""The words the simulated city is made of: kitchens and their dishes, vendors, people and zones, in two languages."""

from __future__ import annotations

from dataclasses import dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class DishWords:
    """One dish as every kitchen of its cuisine may cook it; `price` is about what it costs, in yuan."""

    name: str
    name_zh: str
    category: str
    price: int


@dataclass(frozen=True, slots=True)
class CuisineWords:
    """One cuisine; `hours` names opening hours of its vendors (`demo.world.OPENING_HOURS`), most frequent first."""

    name: str
    name_zh: str
    place: str
    place_zh: str
    hours: tuple[str, ...]
    share: float
    dishes: tuple[DishWords, ...]


# name / Chinese / what its vendors call themselves / Chinese / hours / share of vendors; then its dishes.
MENUS = """
Sichuan/川菜/Sichuan Kitchen/川菜馆/all_day night/1.5
  Mapo tofu/麻婆豆腐/main/24; Kung pao chicken/宫保鸡丁/main/32; Twice-cooked pork/回锅肉/main/36
  Boiled fish in chili oil/水煮鱼/main/58; Dan dan noodles/担担面/noodles/18; Chongqing chicken/辣子鸡/main/42
  Dry-fried green beans/干煸四季豆/side/22; Sichuan cold noodles/四川凉面/noodles/16
  Couple's beef slices/夫妻肺片/side/34; Sour and spicy potato shreds/酸辣土豆丝/side/16
  Yuxiang eggplant/鱼香茄子/main/24; Brown sugar rice cake/红糖糍粑/dessert/18; Herbal tea/凉茶/drink/8
Cantonese/粤菜/Dim Sum House/茶餐厅/early all_day/1.3
  Shrimp dumplings/虾饺/dim sum/26; Pork siu mai/烧卖/dim sum/22; Barbecue pork rice/叉烧饭/main/32
  Roast goose/烧鹅/main/52; Beef chow fun/干炒牛河/noodles/30; Wonton noodle soup/云吞面/noodles/24
  Steamed rice rolls/肠粉/dim sum/16; Century egg congee/皮蛋瘦肉粥/breakfast/15; Egg tart/蛋挞/dessert/9
  Clay pot rice/煲仔饭/main/36; Pineapple bun/菠萝包/breakfast/10; Hong Kong milk tea/港式奶茶/drink/14
Noodles/面馆/Noodle Shop/面馆/early all_day/1.4
  Lanzhou beef noodles/兰州牛肉面/noodles/19; Scallion oil noodles/葱油拌面/noodles/14
  Knife-cut noodles/刀削面/noodles/18; Biang biang noodles/油泼面/noodles/20; Beef wonton/牛肉馄饨/noodles/18
  Tomato egg noodles/番茄鸡蛋面/noodles/17; Braised beef noodles/红烧牛肉面/noodles/26
  Chinese burger/肉夹馍/snack/13; Soy milk/豆浆/drink/5; Marinated egg/卤蛋/side/4; Cold cucumber/拍黄瓜/side/10
Hot pot/火锅/Hot Pot/火锅/night all_day/0.8
  Spicy beef tallow pot/麻辣牛油锅/main/68; Tomato pot/番茄锅/main/52; Sliced lamb/羊肉片/main/38
  Sliced beef/肥牛/main/42; Shrimp paste/虾滑/side/32; Tripe/毛肚/side/36; Fried tofu skin/响铃卷/side/16
  Lotus root/藕片/side/12; Glass noodles/红薯粉/side/9; Plum juice/酸梅汤/drink/10; Ice jelly/冰粉/dessert/12
Barbecue/烧烤/Grill/烧烤摊/night late/1.0
  Lamb skewers/羊肉串/main/30; Grilled oysters/烤生蚝/main/42; Grilled eggplant/烤茄子/side/18
  Grilled chicken wings/烤鸡翅/main/26; Spicy crayfish/麻辣小龙虾/main/78; Garlic crayfish/蒜蓉小龙虾/main/78
  Grilled fish/烤鱼/main/72; Chive skewers/烤韭菜/side/12; Cold beer/冰啤酒/drink/10; Fried rice/炒饭/main/20
Jiangnan/本帮菜/Jiangnan Table/本帮菜馆/all_day/1.1
  Soup dumplings/小笼包/dim sum/24; Pan-fried buns/生煎包/dim sum/18; Red-braised pork/红烧肉/main/46
  Sweet and sour ribs/糖醋排骨/main/42; Drunken chicken/醉鸡/side/32; Lion's head meatballs/狮子头/main/38
  Stir-fried river shrimp/清炒虾仁/main/56; Salted pork rice/咸肉菜饭/main/26; Smoked fish/熏鱼/side/28
  Osmanthus lotus root/桂花糖藕/dessert/18; Fermented rice balls/酒酿圆子/dessert/14
Japanese/日料/Izakaya/日料/all_day night/1.0
  Salmon sushi set/三文鱼寿司拼盘/main/68; Tonkotsu ramen/豚骨拉面/noodles/38; Chicken katsu curry/咖喱鸡排饭/main/36
  Eel rice/鳗鱼饭/main/62; Beef bowl/牛丼/main/32; Tempura/天妇罗/side/34; Gyoza/煎饺/side/22
  Miso soup/味噌汤/side/8; Takoyaki/章鱼小丸子/snack/20; Matcha mochi/抹茶麻薯/dessert/18; Udon/乌冬面/noodles/28
Korean/韩餐/Seoul Kitchen/韩国料理/all_day night/0.8
  Bibimbap/石锅拌饭/main/34; Fried chicken/韩式炸鸡/main/56; Kimchi stew/泡菜锅/main/36
  Army stew/部队锅/main/68; Rice cakes in chili sauce/辣炒年糕/snack/24; Beef bulgogi/烤牛肉/main/58
  Seafood pancake/海鲜饼/side/34; Cold noodles/冷面/noodles/28; Seaweed rolls/紫菜包饭/snack/22; Kimchi/泡菜/side/8
Indian/印度菜/Curry House/印度餐厅/all_day/0.6
  Butter chicken/黄油咖喱鸡/main/48; Chicken biryani/印度香饭/main/46; Palak paneer/菠菜奶酪/main/42
  Lamb rogan josh/咖喱羊肉/main/58; Chana masala/鹰嘴豆咖喱/main/36; Garlic naan/蒜香烤饼/side/14
  Samosa/咖喱角/snack/18; Tandoori chicken/坦都里烤鸡/main/52; Mango lassi/芒果酸奶/drink/20
  Gulab jamun/玫瑰奶球/dessert/18
Italian/意餐/Trattoria/意大利餐厅/all_day/0.8
  Margherita pizza/玛格丽特披萨/main/58; Pepperoni pizza/意式香肠披萨/main/68; Carbonara/奶油培根意面/noodles/52
  Bolognese/肉酱意面/noodles/48; Lasagne/千层面/main/56; Caesar salad/凯撒沙拉/side/38
  Tiramisu/提拉米苏/dessert/36; Garlic bread/蒜香面包/side/18; Seafood risotto/海鲜烩饭/main/66
  Minestrone/蔬菜浓汤/side/28
Mexican/墨西哥菜/Cantina/墨西哥餐厅/all_day night/0.5
  Chicken burrito/鸡肉卷饼/main/38; Beef tacos/牛肉塔可/main/42; Cheese quesadilla/芝士薄饼/main/36
  Nachos/玉米片拼盘/snack/34; Guacamole/牛油果酱/side/24; Pork carnitas bowl/墨西哥猪肉饭/main/44
  Churros/吉拿棒/dessert/20; Horchata/米香饮/drink/18; Chili con carne/辣肉酱/main/40
Burgers/汉堡/Burger Bar/汉堡店/all_day late/1.2
  Classic cheeseburger/经典芝士汉堡/main/32; Double beef burger/双层牛肉堡/main/42
  Spicy chicken burger/香辣鸡腿堡/main/28; Fish burger/鳕鱼堡/main/30
  French fries/薯条/side/14; Onion rings/洋葱圈/side/16; Chicken nuggets/鸡块/snack/18
  Vanilla shake/香草奶昔/drink/20; Cola/可乐/drink/8; Apple pie/苹果派/dessert/12
Salads/轻食/Green Bowl/轻食沙拉/early office/0.9
  Chicken avocado bowl/鸡肉牛油果碗/main/42; Salmon poke/三文鱼波奇饭/main/52; Beef quinoa bowl/牛肉藜麦碗/main/46
  Tofu garden salad/豆腐田园沙拉/main/34; Pumpkin soup/南瓜汤/side/18; Boiled eggs/水煮蛋/side/8
  Oat yoghurt cup/燕麦酸奶杯/breakfast/22; Whole wheat sandwich/全麦三明治/breakfast/26
  Cold-pressed juice/鲜榨果蔬汁/drink/26
Tea/茶饮/Tea Bar/茶饮店/tea/1.5
  Pearl milk tea/珍珠奶茶/drink/16; Brown sugar boba/黑糖波波鲜奶/drink/19; Cheese grape tea/芝芝葡萄/drink/24
  Lemon black tea/柠檬红茶/drink/13; Mango pomelo sago/杨枝甘露/dessert/22; Jasmine green tea/茉莉绿茶/drink/12
  Taro balls/芋圆/dessert/18; Oolong milk tea/乌龙奶茶/drink/17; Peach oolong/白桃乌龙/drink/18
  Egg waffle/鸡蛋仔/snack/16
Coffee/咖啡/Coffee/咖啡馆/office early/1.1
  Flat white/澳白/drink/26; Americano/美式咖啡/drink/18; Oat latte/燕麦拿铁/drink/30; Coconut latte/生椰拿铁/drink/24
  Butter croissant/可颂/breakfast/16; Ham and cheese bagel/火腿芝士贝果/breakfast/28
  Basque cheesecake/巴斯克蛋糕/dessert/32; Blueberry muffin/蓝莓玛芬/dessert/20; Banana bread/香蕉面包/dessert/18
"""

# How a kitchen may call its own version of a dish; the empty one is by far the most common.
TWISTS = (("", ""), ("House ", "招牌"), ("Grandma's ", "外婆"), ("Signature ", "秘制"), ("Old town ", "老城"))

# An underscore stands for a space inside one name.
VENDOR_FIRST = tuple(
    tuple(pair.replace("_", " ").split("/"))
    for pair in _words(
        "Golden/金源 Jade/翡翠 River/江畔 Lucky/吉祥 Old_Lane/老弄堂 Moon/明月 Bamboo/竹里 Pearl/明珠 Garden/花园 "
        "Red_Lantern/红灯笼 Lotus/荷塘 Happy/开心 Sunrise/朝阳 Little/小小 Harbour/港湾 Phoenix/凤凰 Maple/枫叶 "
        "Cloud/云上 Stone_Bridge/石桥 Star/星辰 Spring/春天 Orchid/兰亭 Willow/柳岸 North/北街 Sparrow/麻雀"
    )
)
ZONE_NAMES = _words(
    "riverside old-town university harbour tech-park garden-hill north-gate lakeside museum station market airport"
)

FIRST_NAMES = _words(
    "Emma Liam Olivia Noah Ava Lucas Mia Ethan Sofia Leo Chloe Jack Grace Daniel Zoe Adam Ruby Oscar Ella Felix Anna "
    "Marco Priya Arjun Elena Diego Yuki Kenji Hana Omar Layla Ivan Nina Pablo Clara Hugo Alice Max Sara Tom"
)
LAST_NAMES = _words(
    "Smith Johnson Brown Garcia Miller Davis Martin Lee Walker Hall Young King Wright Lopez Hill Scott Green Adams "
    "Baker Nelson Patel Sharma Rossi Silva Novak Tanaka Sato Kim Park Khan Haddad Petrov Dubois Weber Costa Reyes"
)
SURNAMES_ZH = tuple("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹")
GIVEN_ZH = _words(
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀英 霞 平 刚 桂英 欣怡 子涵 梓萱 浩然 雨桐 宇轩 诗涵 思远 "
    "佳怡 俊杰 晓明 文静 志强 海燕 婷婷 雪梅 建国 美玲 天宇 若曦 一诺 嘉豪"
)


def cuisines() -> tuple[CuisineWords, ...]:
    """Return the cuisines with their dishes, in the order written."""
    found: list[CuisineWords] = []
    for line in MENUS.strip().splitlines():
        if not line.startswith(" "):
            name, name_zh, place, place_zh, hours, share = line.split("/")
            found.append(CuisineWords(name, name_zh, place, place_zh, tuple(hours.split()), float(share), ()))
            continue
        last = found[-1]
        added = tuple(_dish(text.strip()) for text in line.split(";"))
        found[-1] = CuisineWords(
            last.name, last.name_zh, last.place, last.place_zh, last.hours, last.share, last.dishes + added
        )
    return tuple(found)


def _dish(text: str) -> DishWords:
    name, name_zh, category, price = text.split("/")
    return DishWords(name, name_zh, category, int(price))
